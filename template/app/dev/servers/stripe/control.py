"""Control over the fake, under `/_fake`: its clock, its cards, disputes, and what goes wrong.

Requests authenticate like those to the API, so that no web page can send them.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass, fields

from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.authentication import authenticate
from app.dev.servers.stripe.billing import due, payments
from app.dev.servers.stripe.cards import by_last4, replace_card
from app.dev.servers.stripe.errors import ApiError, invalid
from app.dev.servers.stripe.faults import Faults
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.payments import Charge, Dispute

type Action = Callable[[Request, Json], Json]

_JSON: TypeAdapter[Json] = TypeAdapter(Json)


@dataclass(kw_only=True)
class Control:
    """The actions on an account."""

    account: Account
    faults: Faults
    secret_key: str

    def routes(self) -> list[Route]:
        """Return the routes."""
        actions: list[tuple[str, str, Action]] = [
            ("GET", "/_fake", self.state),
            ("POST", "/_fake/clock", self.move_clock),
            ("POST", "/_fake/faults", self.set_faults),
            ("POST", "/_fake/customers/{id}/card", self.change_card),
            ("POST", "/_fake/charges/{id}/dispute", self.dispute),
            ("POST", "/_fake/disputes/{id}/close", self.close_dispute),
        ]
        return [Route(path, self._endpoint(action), methods=[method]) for method, path, action in actions]

    def _endpoint(self, action: Action) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            status = 200
            try:
                authenticate(request, self.secret_key)
                body = action(request, _parsed(await request.body()))
            except ApiError as error:
                status, body = error.status, error.document("req_control")
            return Response(json.dumps(body), status, media_type="application/json")

        return endpoint

    def state(self, _request: Request, _body: Json) -> Json:
        """Return the time, the number of objects and the events on their way."""
        due.catch_up(self.account)
        return {
            "now": self.account.now,
            "objects": {kind: len(found) for kind, found in self.account.objects.items()},
            "pending_events": len(self.account.deliveries),
            "faults": asdict(self.faults),
        }

    def move_clock(self, _request: Request, body: Json) -> Json:
        """Move the clock by `advance`, and return what happened."""
        events = due.advance(self.account, str(body.get("advance", "")))
        shown = [{"type": event.type, "created": event.created, "id": event.data.object.get("id")} for event in events]
        return {"now": self.account.now, "events": shown}

    def set_faults(self, _request: Request, body: Json) -> Json:
        """Set faults; see `Faults`."""
        names = {one.name for one in fields(Faults)}
        for name, value in body.items():
            if name not in names:
                raise invalid(f"Unknown fault: {name}. There are {', '.join(sorted(names))}.", name)
            setattr(self.faults, name, value)
        return asdict(self.faults)

    def change_card(self, request: Request, body: Json) -> Json:
        """Replace a customer's card by the test card with these last four digits."""
        customer = self.account.find(Customer, request.path_params["id"])
        card = by_last4(str(body.get("last4", "")))
        if card is None:
            raise invalid("There is no test card with these digits.", "last4")
        replace_card(self.account, card, customer)
        return {"customer": customer.id, "last4": card.last4}

    def dispute(self, request: Request, _body: Json) -> Json:
        """Dispute a charge."""
        made = payments.dispute(self.account, self.account.find(Charge, request.path_params["id"]))
        return {"dispute": made.id}

    def close_dispute(self, request: Request, body: Json) -> Json:
        """Decide a dispute."""
        one = self.account.find(Dispute, request.path_params["id"])
        payments.close_dispute(self.account, one, won=body.get("won") is True)
        return {"dispute": one.id, "status": one.status}


def _parsed(body: bytes) -> Json:
    try:
        return _JSON.validate_json(body or b"{}")
    except ValidationError:
        raise invalid("The body is not a JSON object.") from None
