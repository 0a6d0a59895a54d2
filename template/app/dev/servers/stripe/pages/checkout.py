"""The page of a checkout: what is bought, and a choice of test cards."""

from html import escape

from starlette.responses import HTMLResponse

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing.subscribe import complete, promotion_of
from app.dev.servers.stripe.cards import CARDS, Outcome, TestCard, by_last4
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import CheckoutSession, LineItem
from app.dev.servers.stripe.pages.html import date, error_text, exact_money, money, page, total_table
from app.dev.servers.stripe.params import Params

_CANCEL = '<button class="quiet" name="action" value="cancel" formnovalidate>Cancel and go back</button>'


def show(account: Account, session_id: str, error: str | None) -> HTMLResponse:
    """Return the page of a checkout."""
    session = account.find(CheckoutSession, session_id)
    if session.status != "open":
        text = "This checkout is complete." if session.status == "complete" else "This checkout has expired."
        return page("Checkout", f"<p>{text}</p>", status=410)
    body = f"""{error_text(error)}
<section aria-labelledby="order"><h2 id="order">Your order</h2>{_order(session)}</section>
<form method="post">
<section aria-labelledby="pay"><h2 id="pay">Payment</h2>
{_email(account, session)}
{_promotion(session)}
<fieldset><legend>Test card</legend>{"".join(_card(card, index == 0) for index, card in enumerate(CARDS))}</fieldset>
<div class="row">
<button name="action" value="pay">{"Start trial" if session.subscription_data.trial_end else "Subscribe"}</button>
{_CANCEL if session.cancel_url else ""}
</div>
</section>
</form>"""
    return _page("Checkout", body, session)


def _page(title: str, body: str, session: CheckoutSession) -> HTMLResponse:
    return page(title, body, leads_to=[session.success_url, session.cancel_url])


def _order(session: CheckoutSession) -> str:
    rows = "".join(f"<tr><th scope=row>{_what(line)}</th><td>{_amount(line)}</td></tr>" for line in session.line_items)
    discount = session.total_details.amount_discount
    if discount:
        rows += f"<tr><th scope=row>Discount</th><td>{money(-discount, session.currency)}</td></tr>"
    trial = session.subscription_data.trial_end
    note = f'<p class="muted">Free until {date(trial)}, then billed as above.</p>' if trial else ""
    return total_table(rows, "Due today", money(session.amount_total, session.currency)) + note


def _what(line: LineItem) -> str:
    times = f"{line.quantity} x " if line.quantity and line.quantity > 1 else ""
    return f"{times}{escape(line.description)}"


def _amount(line: LineItem) -> str:
    recurring = line.price.recurring
    each = "" if recurring is None else f"every {recurring.interval_count} {recurring.interval}s"
    if recurring is not None and recurring.interval_count == 1:
        each = f"per {recurring.interval}"
    if line.price.is_metered:
        return f"{exact_money(line.price.exact_amount, line.currency)} per unit used"
    return f"{money(line.amount_subtotal, line.currency)} {each}"


def _email(account: Account, session: CheckoutSession) -> str:
    customer = account.get(Customer, session.customer)
    known = (customer.email if customer else None) or session.customer_email
    if known:
        return f'<p>Email <span class="muted">{escape(known)}</span></p>'
    return '<label>Email <input type="email" name="email" autocomplete="email" required maxlength="200"></label>'


def _promotion(session: CheckoutSession) -> str:
    if not session.allow_promotion_codes:
        return ""
    return '<label>Promotion code (optional) <input type="text" name="code" maxlength="100" autocomplete="off"></label>'


def _card(card: TestCard, selected: bool) -> str:  # noqa: FBT001 - one of two states of the same thing
    checked = " checked" if selected else ""
    return (
        f'<label class="choice"><input type="radio" name="card" value="{card.last4}"{checked}>'
        f'<span>•••• {card.last4} <span class="muted">{escape(card.label)}</span></span></label>'
    )


def submit(account: Account, session_id: str, form: Params) -> HTMLResponse | str:
    """Pay for a checkout, confirm the payment with the bank, or go back.

    Raises:
        ApiError: the payment is declined, or the form is wrong. The checkout stays open.
    """
    session = account.find(CheckoutSession, session_id)
    if session.status != "open":
        return show(account, session_id, None)
    action = form.text("action")
    if action == "cancel" and session.cancel_url:
        return session.cancel_url
    card = by_last4(form.text("card") or "")
    if card is None:
        raise invalid("Choose a card.")
    if action == "fail":
        raise invalid("The bank didn't confirm the payment. Try again, or choose another card.")
    email, code = form.text("email") or session.customer_email or "", form.text("code")
    outcome = complete(account, session, card, email=email, code=code, authenticated=action == "confirm")
    if outcome is Outcome.ACTION_REQUIRED:
        promotion_of(account, session, code)
        return _page("Confirm the payment", _confirmation(card, email, code), session)
    if outcome is Outcome.DECLINED:
        raise invalid(
            "Your card has insufficient funds. Choose another one."
            if card.decline_code == "insufficient_funds"
            else "Your card was declined. Choose another one."
        )
    return session.success_url.replace("{CHECKOUT_SESSION_ID}", session.id)


def _confirmation(card: TestCard, email: str, code: str | None) -> str:
    values = {"card": card.last4, "email": email, "code": code or ""}
    fields = "".join(f'<input type="hidden" name="{name}" value="{escape(value)}">' for name, value in values.items())
    return f"""<section><p>Your bank asks whether you made this payment (3-D Secure).</p>
<form method="post">{fields}
<div class="row"><button name="action" value="confirm">Confirm</button>
<button class="quiet" name="action" value="fail">Refuse</button></div></form></section>"""
