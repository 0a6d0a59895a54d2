"""Routes for Stripe: its webhook, and the page to which it sends users back in projects without one of their own."""

import base64
import hashlib
from typing import Annotated, Final

import structlog
from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse

from app.core.errors import AppError
from app.core.http.dependencies import RuntimeDep
from app.core.runtime import Runtime
from app.payments.port import ProviderUnavailableError
from app.payments.webhooks import RATE
from app.stripe.api import StripeApi, answering
from app.stripe.checkout import store_session
from app.stripe.webhook import receive_event

logger = structlog.stdlib.get_logger(__name__)

router = APIRouter()

_STYLE: Final = """
body { margin: 0 auto; max-width: 34rem; padding: 3rem 1rem; font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
_HEADERS: Final = {
    "Content-Security-Policy": f"default-src 'none'; frame-ancestors 'none'; style-src 'sha256-{_STYLE_HASH}'"
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
<h1>{title}</h1>
<p>{text}</p>
</html>
"""
_PAGES: Final = {
    "paid": ("Thank you", "Your purchase is complete. You can close this page."),
    "pending": ("Almost done", "Your payment is being processed. Your plan changes as soon as it is complete."),
    "cancelled": ("Nothing was bought", "You can close this page."),
}


@router.post("/webhooks/stripe", status_code=202, dependencies=[Depends(RATE)])
async def receive_stripe_event(request: Request, runtime: RuntimeDep) -> dict[str, bool]:
    """Receive an event of Stripe.

    An event that was received before, or that concerns nothing here, is acknowledged and ignored.
    """
    await receive_event(runtime, await request.body(), request.headers.get("stripe-signature", ""))
    return {"received": True}


@router.get("/billing/return", include_in_schema=False)
async def show_result(
    runtime: RuntimeDep,
    session_id: Annotated[str | None, Query(pattern=r"^cs_[A-Za-z0-9_]{1,250}$")] = None,
    *,
    cancelled: bool = False,
) -> HTMLResponse:
    """Show the result of a checkout, and apply it at once.

    The page grants nothing: what was bought, and by whom, is what Stripe says of the session.
    """
    if cancelled or session_id is None:
        return _page("cancelled")
    return _page("paid" if await _apply(runtime, session_id) else "pending")


async def _apply(runtime: Runtime, session_id: str) -> bool:
    """Store the subscription of a session. Return whether it is complete."""
    try:
        session = await answering(runtime.resource(StripeApi).checkout(session_id))
        return session is not None and await store_session(runtime, session)
    except (AppError, ProviderUnavailableError) as error:
        # The webhook brings the subscription later.
        logger.warning("checkout_not_applied", reason=type(error).__name__)
        return False


def _page(name: str) -> HTMLResponse:
    title, text = _PAGES[name]
    return HTMLResponse(_PAGE.format(title=title, text=text, style=_STYLE), headers=_HEADERS)
