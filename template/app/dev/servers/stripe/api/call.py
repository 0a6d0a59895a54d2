"""A request to the API, as its handlers see it."""

from collections.abc import Callable
from dataclasses import dataclass

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.errors import missing
from app.dev.servers.stripe.objects.base import Deleted, Json, Resource
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.meters import MeterEvent
from app.dev.servers.stripe.params import Params, merged

MAX_PAGE = 100
PAGE = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A part of a list, the newest entries first."""

    entries: list[object]
    url: str
    has_more: bool = False


type Answer = Resource | Deleted | Page | MeterEvent | Json


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A request.

    Attributes:
        ids: the variable parts of the path.
    """

    account: Account
    params: Params
    ids: dict[str, str]

    def one[R: Resource](self, kind: type[R]) -> R:
        """Return the object that the path names.

        Raises:
            ApiError: it doesn't exist.
        """
        return self.account.find(kind, self.ids["id"])

    def customer(self) -> str | None:
        """Return the customer whose objects are to be listed, if there is one.

        Raises:
            ApiError: it doesn't exist.
        """
        given = self.params.text("customer")
        return None if given is None else self.account.find(Customer, given, param="customer").id

    def page[R: Resource](self, kind: type[R], keep: Callable[[R], bool] = lambda _one: True) -> Page:
        """Return the objects of a type, a page at a time, and reject unknown parameters.

        Raises:
            ApiError: the cursor doesn't exist, or a parameter is unknown.
        """
        limit = self.params.integer("limit", least=1, most=MAX_PAGE) or PAGE
        after, before = self.params.text("starting_after"), self.params.text("ending_before")
        created = self._created()
        self.params.finish()
        found = [one for one in reversed(self.account.all(kind)) if keep(one) and created(one)]
        ids = [one.id for one in found]
        for cursor, name in ((after, "starting_after"), (before, "ending_before")):
            if cursor is not None and cursor not in ids:
                raise missing(kind.OBJECT, cursor, param=name)
        if before is not None:
            earlier = found[: ids.index(before)]
            return Page(entries=list(earlier[-limit:]), url=kind.PATH, has_more=len(earlier) > limit)
        rest = found[ids.index(after) + 1 :] if after is not None else found
        return Page(entries=list(rest[:limit]), url=kind.PATH, has_more=len(rest) > limit)

    def _created(self) -> Callable[[Resource], bool]:
        if "created" not in self.params:
            return lambda _one: True
        part = self.params.group("created")
        least = max(part.integer("gte") or 0, (part.integer("gt") or -1) + 1)
        limits = [
            value for value in (part.integer("lte"), (part.integer("lt") or 0) - 1) if value is not None and value >= 0
        ]
        return lambda one: one.created >= least and all(one.created <= value for value in limits)

    def metadata(self, before: dict[str, str] | None = None) -> dict[str, str]:
        """Return the metadata after this request; an empty `metadata` removes all keys."""
        if "metadata" not in self.params:
            return before or {}
        changes = self.params.mapping("metadata")
        return merged(before or {}, changes) if changes else {}


type Handler = Callable[[Call], Answer]


def retrieve(kind: type[Resource]) -> Handler:
    """Return the handler that shows an object."""

    def handler(call: Call) -> Answer:
        call.params.finish()
        return call.one(kind)

    return handler
