"""The frame of the fake's pages, and how they show money."""

from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from starlette.responses import HTMLResponse

STYLE: Final = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
_NO_DECIMALS: Final = frozenset({"jpy", "krw", "vnd", "clp", "pyg", "xaf", "xof"})
_NOTICE: Final = "This is a fake of Stripe for development. No money moves, and no real card is accepted."


def money(amount: int, currency: str) -> str:
    """Return an amount in the smallest unit of a currency as text."""
    sign, amount = ("-" if amount < 0 else ""), abs(amount)
    number = f"{amount:,}" if currency in _NO_DECIMALS else f"{amount / 100:,.2f}"
    return f"{sign}{number} {currency.upper()}"


def exact_money(amount: Decimal, currency: str) -> str:
    """Return an amount in the smallest unit of a currency as text, with every decimal place it has."""
    if amount == int(amount):
        return money(int(amount), currency)
    return f"{amount if currency in _NO_DECIMALS else amount / 100:f} {currency.upper()}"


def date(moment: int) -> str:
    """Return a time as a date."""
    return f"{datetime.fromtimestamp(moment, UTC):%-d %B %Y}"


def page(title: str, body: str, *, leads_to: list[str | None] | None = None, status: int = 200) -> HTMLResponse:
    """Return a page without scripts and without anything from other servers.

    Args:
        leads_to: the URLs to which its forms redirect; a browser blocks all others.
    """
    origins = {f"{url.scheme}://{url.netloc}" for url in map(urlsplit, filter(None, leads_to or []))}
    policy = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
        f"form-action {' '.join(["'self'", *sorted(origins)])}"
    )
    text = f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escape(title)}, fake of Stripe</title>
<link rel="stylesheet" href="/_fake/style.css">
</head>
<body>
<p class="notice" role="note">{_NOTICE}</p>
<main>
<h1>{escape(title)}</h1>
{body}
</main>
</body>
</html>
"""
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "no-store",
    }
    return HTMLResponse(text, status, headers=headers)


def error_text(message: str | None) -> str:
    """Return the paragraph for an error, read out by screen readers at once."""
    return f'<p class="error" role="alert">{escape(message)}</p>' if message else ""


def option(value: str, label: str, *, selected: bool = False) -> str:
    """Return a choice of a list."""
    return f'<option value="{escape(value)}"{" selected" if selected else ""}>{escape(label)}</option>'


def total_table(rows: str, label: str, total: str) -> str:
    """Return a table of amounts with their total."""
    foot = f"<tfoot><tr><th scope=row>{label}</th><td>{total}</td></tr></tfoot>"
    return f"<table><tbody>{rows}</tbody>{foot}</table>"
