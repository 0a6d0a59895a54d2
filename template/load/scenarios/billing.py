"""Users who compare plans and pay. A local server pays at a fake of the payment provider: no money moves."""

from load.scenario import Scenario, Session


def read_billing(session: Session) -> None:
    """Read the subscription, and the plans."""
    session.send("GET", "/app/billing/status")
    session.send("GET", "/app/plans")


def read_invoices(session: Session) -> None:
    """List the invoices."""
    session.send("GET", "/app/billing/invoices")


def check_out(session: Session) -> None:
    """Begin a payment and leave it."""
    plans = session.send("GET", "/app/plans")
    plan = next(plan["name"] for plan in plans["items"] if plan["prices"])
    session.send("POST", "/app/billing/checkout", json={"plan": plan}, expected=(200, 201))


# The pause keeps a user within the rate limit of these routes, 30 requests a minute.
scenario = Scenario(name="billing", steps={read_billing: 3, read_invoices: 1, check_out: 1}, pause=(4, 8), p95=2.0)
