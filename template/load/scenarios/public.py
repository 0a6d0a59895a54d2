"""Visitors without an account, and the load balancer."""

from load.scenario import Scenario, Session


def check_health(session: Session) -> None:
    """Request the liveness and the readiness."""
    session.send("GET", "/public/health", anonymous=True)
    session.send("GET", "/public/health/ready", anonymous=True)


def read_schema(session: Session) -> None:
    """Download the API's description, the largest public response."""
    session.send("GET", "/openapi.json", anonymous=True)


def miss(session: Session) -> None:
    """Request a path that does not exist, as scanners do."""
    session.send("GET", "/public/nowhere", anonymous=True, expected=(404,))


scenario = Scenario(name="public", steps={check_health: 10, read_schema: 1, miss: 2})
