"""The page of an invoice, on which a customer pays after a card was declined."""

from html import escape

from starlette.responses import HTMLResponse

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import invoicing, lifecycle
from app.dev.servers.stripe.cards import CARDS, Outcome, by_last4, card_of, replace_card
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.invoices import Invoice
from app.dev.servers.stripe.pages.html import error_text, money, option, page, total_table
from app.dev.servers.stripe.params import Params


def show(account: Account, invoice_id: str, error: str | None) -> HTMLResponse:
    """Return the page of an invoice."""
    invoice = account.find(Invoice, invoice_id)
    rows = "".join(
        f"<tr><th scope=row>{escape(line.description)}</th><td>{money(line.amount, line.currency)}</td></tr>"
        for line in invoice.lines
    )
    if balance := invoice.amount_due - invoice.total:
        rows += f"<tr><th scope=row>Customer balance</th><td>{money(balance, invoice.currency)}</td></tr>"
    label, amount = (
        ("Amount paid", invoice.amount_paid) if invoice.status == "paid" else ("Amount due", invoice.amount_due)
    )
    total = money(amount, invoice.currency)
    body = f"""{error_text(error)}
<section><p>Status: <strong>{invoice.status}</strong></p>
{total_table(rows, label, total)}</section>
{_payment(account, invoice) if invoice.status == "open" else ""}"""
    return page(f"Invoice {invoice.number or ''}".strip(), body)


def _payment(account: Account, invoice: Invoice) -> str:
    current = invoicing.default_card(account, invoice.subscription)
    used = card_of(current).last4 if current else None
    options = "".join(
        option(card.last4, f"•••• {card.last4} {card.label}", selected=card.last4 == used)
        for card in CARDS
        if card.can_attach
    )
    return f"""<section><h2>Pay this invoice</h2><form method="post">
<label>Card <select name="card">{options}</select></label>
<p class="muted">Paying here also confirms the payment with the bank, if it asks for that.</p>
<button>Pay {money(invoice.amount_due, invoice.currency)}</button></form></section>"""


def submit(account: Account, invoice_id: str, form: Params) -> str:
    """Pay an invoice with a card, which then also pays for renewals.

    Raises:
        ApiError: the card is declined.
    """
    invoice, card = account.find(Invoice, invoice_id), by_last4(form.text("card") or "")
    if card is None or not card.can_attach:
        raise invalid("Choose a card.")
    if invoice.status == "open":
        replace_card(account, card, account.find(Customer, invoice.customer))
        charged = lifecycle.collect(account, invoice, on_session=True, authenticated=True)
        if charged.outcome is not Outcome.SUCCEEDED:
            raise invalid("Your card was declined. Choose another one.")
    return f"/invoice/{invoice.id}"
