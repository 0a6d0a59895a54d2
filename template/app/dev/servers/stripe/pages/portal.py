"""The customer portal: change, end or resume a subscription, replace the card, and see invoices."""

from html import escape

from starlette.responses import HTMLResponse

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import changes, invoicing, lifecycle
from app.dev.servers.stripe.billing.subscribe import set_cancel_at_period_end
from app.dev.servers.stripe.cards import CARDS, by_last4, card_of, replace_card
from app.dev.servers.stripe.errors import invalid, missing
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.catalog import Price, Product
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import PortalConfiguration, PortalSession
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.objects.subscriptions import Subscription
from app.dev.servers.stripe.pages.html import date, error_text, money, option, page
from app.dev.servers.stripe.params import Params


def show(account: Account, session_id: str, error: str | None) -> HTMLResponse:
    """Return the page of a session."""
    session = account.find(PortalSession, session_id)
    configuration = account.find(PortalConfiguration, session.configuration)
    subscriptions = [one for one in reversed(account.all(Subscription)) if one.customer == session.customer]
    parts = [_subscription(account, one, configuration) for one in subscriptions]
    if not parts:
        parts.append("<section><p>You have no subscription.</p></section>")
    if _allows(configuration, "payment_method_update"):
        parts.append(_card(account, session))
    if _allows(configuration, "invoice_history"):
        parts.append(_invoices(account, session))
    back = f'<p><a href="{escape(session.return_url)}">Return to the application</a></p>' if session.return_url else ""
    return page("Your subscriptions", error_text(error) + back + "".join(parts), leads_to=[session.return_url])


def _allows(configuration: PortalConfiguration, feature: str) -> bool:
    return _feature(configuration, feature).get("enabled") is True


def _feature(configuration: PortalConfiguration, feature: str) -> Json:
    found = configuration.features.get(feature)
    return found if isinstance(found, dict) else {}


def _subscription(account: Account, one: Subscription, configuration: PortalConfiguration) -> str:
    names = ", ".join(escape(invoicing.product_name(account, item)) for item in one.items)
    state = f"Renews on {date(one.period_end)}."
    if one.has_ended:
        state = f"Ended on {date(one.ended_at or one.created)}."
    elif one.cancel_at is not None:
        state = f"Ends on {date(one.cancel_at)}."
    forms = "" if one.has_ended else _cancel_form(one, configuration) + _change_form(account, one, configuration)
    return f"""<section aria-label="{names}"><h2>{names}</h2>
<p>Status: <strong>{one.status.replace("_", " ")}</strong>. {state}</p>{forms}</section>"""


def _cancel_form(one: Subscription, configuration: PortalConfiguration) -> str:
    if one.cancel_at_period_end:
        return _button(one, "resume", "Don't cancel")
    return _button(one, "cancel", "Cancel subscription") if _allows(configuration, "subscription_cancel") else ""


def _button(one: Subscription, action: str, label: str) -> str:
    return (
        f'<form method="post"><input type="hidden" name="subscription" value="{one.id}">'
        f'<button class="quiet" name="action" value="{action}">{label}</button></form>'
    )


def _change_form(account: Account, one: Subscription, configuration: PortalConfiguration) -> str:
    prices = _prices(account, configuration)
    if not _allows(configuration, "subscription_update") or not prices:
        return ""
    item = one.items[0]
    options = "".join(option(price.id, _label(account, price), selected=price.id == item.price.id) for price in prices)
    return f"""<form method="post"><input type="hidden" name="subscription" value="{one.id}"><div class="row">
<label>Plan <select name="price">{options}</select></label>
<label>Quantity <input type="number" name="quantity" value="{item.quantity or 1}" min="1" max="10000"></label>
<button name="action" value="change">Change plan</button></div></form>"""


def _prices(account: Account, configuration: PortalConfiguration) -> list[Price]:
    products = _feature(configuration, "subscription_update").get("products")
    ids = [price for one in products for price in one["prices"]] if isinstance(products, list) else []
    return [price for price in account.all(Price) if price.id in ids and price.active]


def _label(account: Account, price: Price) -> str:
    interval = price.recurring.interval if price.recurring else ""
    name = account.find(Product, price.product).name
    return f"{name}, {money(price.unit_amount or 0, price.currency)} per {interval}"


def _card(account: Account, session: PortalSession) -> str:
    customer = account.find(Customer, session.customer)
    options = "".join(option(card.last4, f"•••• {card.last4} {card.label}") for card in CARDS if card.can_attach)
    used = {
        card_of(method).last4
        for one in account.all(Subscription)
        if one.customer == customer.id and (method := invoicing.default_card(account, one.id)) is not None
    }
    now = f"•••• {', '.join(sorted(used))}" if used else "none"
    return f"""<section><h2>Payment method</h2><p>Current card: {now}</p>
<form method="post"><label>New card <select name="card">{options}</select></label>
<button class="quiet" name="action" value="card">Replace card</button></form></section>"""


def _invoices(account: Account, session: PortalSession) -> str:
    rows = "".join(
        f'<tr><td><a href="/invoice/{one.id}">{one.number or "Draft"}</a>, {date(one.created)}</td>'
        f"<td>{money(one.amount_due, one.currency)}, {one.status}</td></tr>"
        for one in reversed(account.all(Invoice))
        if one.customer == session.customer
    )
    return f"<section><h2>Invoices</h2><table><tbody>{rows}</tbody></table></section>"


def submit(account: Account, session_id: str, form: Params) -> str:
    """Do what a form of the portal says.

    Raises:
        ApiError: the customer may not do that, or a payment is declined.
    """
    session = account.find(PortalSession, session_id)
    configuration = account.find(PortalConfiguration, session.configuration)
    action = form.text("action")
    if action == "card":
        card = by_last4(form.text("card") or "")
        if card is None or not card.can_attach or not _allows(configuration, "payment_method_update"):
            raise invalid("Choose a card.")
        replace_card(account, card, account.find(Customer, session.customer))
        return f"/portal/{session.id}"
    one = account.find(Subscription, form.required("subscription"))
    if one.customer != session.customer or one.has_ended:
        raise missing("subscription", one.id)
    if action == "change":
        _change(account, one, configuration, form)
    elif action == "resume":
        set_cancel_at_period_end(account, one, wanted=False)
    elif action == "cancel" and _allows(configuration, "subscription_cancel"):
        _cancel(account, one, configuration)
    if not one.has_ended:
        lifecycle.updated(account, one)
    return f"/portal/{session.id}"


def _cancel(account: Account, one: Subscription, configuration: PortalConfiguration) -> None:
    if _feature(configuration, "subscription_cancel").get("mode") == "immediately":
        lifecycle.end(account, one, reason="cancellation_requested")
    else:
        set_cancel_at_period_end(account, one, wanted=True)


def _change(account: Account, one: Subscription, configuration: PortalConfiguration, form: Params) -> None:
    price = next((price for price in _prices(account, configuration) if price.id == form.text("price")), None)
    if price is None or not _allows(configuration, "subscription_update"):
        raise invalid("Choose a plan.")
    quantity = form.integer("quantity", least=1, most=10_000) or 1
    behavior = _feature(configuration, "subscription_update").get("proration_behavior")
    changes.apply(
        account,
        one,
        changes.Change(
            at=account.now,
            items=[changes.ItemChange(item=one.items[0].id, price=price, quantity=quantity)],
            proration="always_invoice" if behavior == "always_invoice" else "create_prorations",
            payment="error_if_incomplete",
        ),
    )
