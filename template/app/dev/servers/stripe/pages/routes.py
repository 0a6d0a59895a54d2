"""The pages that Stripe hosts."""

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing.due import catch_up
from app.dev.servers.stripe.errors import ApiError
from app.dev.servers.stripe.pages import checkout, invoice, portal
from app.dev.servers.stripe.pages.html import STYLE, page
from app.dev.servers.stripe.params import Params, parse

type Show = Callable[[Account, str, str | None], HTMLResponse]
type Submit = Callable[[Account, str, Params], HTMLResponse | str]
"""A function that handles a form, and returns a page or the URL of the next one."""


@dataclass(kw_only=True)
class Pages:
    """The pages of an account."""

    account: Account

    def routes(self) -> list[Route]:
        """Return the routes of the pages."""
        return [
            Route("/_fake/style.css", self.style),
            Route("/checkout/{id}", self.checkout, methods=["GET", "POST"]),
            Route("/invoice/{id}", self.invoice, methods=["GET", "POST"]),
            Route("/portal/{id}", self.portal, methods=["GET", "POST"]),
        ]

    async def style(self, _request: Request) -> Response:
        """Return the style sheet."""
        return Response(STYLE, media_type="text/css")

    async def checkout(self, request: Request) -> Response:
        """Show a checkout, or pay for it."""
        return await self._serve(request, checkout.show, checkout.submit)

    async def invoice(self, request: Request) -> Response:
        """Show an invoice, or pay it."""
        return await self._serve(request, invoice.show, invoice.submit)

    async def portal(self, request: Request) -> Response:
        """Show the customer portal, or change something in it."""
        return await self._serve(request, portal.show, portal.submit)

    async def _serve(self, request: Request, show: Show, submit: Submit) -> Response:
        catch_up(self.account)
        object_id = request.path_params["id"]
        try:
            if request.method == "GET":
                return show(self.account, object_id, None)
            form = Params(parse((await request.body()).decode(errors="replace")))
            done = submit(self.account, object_id, form)
        except ApiError as error:
            if error.status == 404:  # noqa: PLR2004 - the object doesn't exist
                return page("Not found", f"<p>{escape(error.message)}</p>", status=404)
            return show(self.account, object_id, error.message)
        return done if isinstance(done, Response) else RedirectResponse(done, 303)
