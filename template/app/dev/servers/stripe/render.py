"""The JSON of answers, with the objects that `expand[]` names in place of their ids."""

from dataclasses import fields

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.api.call import Answer, Page
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.base import Json, Resource, document, page

_MAX_DEPTH = 4


def render(account: Account, answer: Answer, expand: list[str]) -> Json:
    """Return the JSON of an answer.

    Raises:
        ApiError: a path can't be expanded.
    """
    if isinstance(answer, Page):
        entries = [document(entry) for entry in answer.entries]
        shown: object = page(entries, url=answer.url, has_more=answer.has_more)
    else:
        shown = document(answer)
    if not isinstance(shown, dict):
        raise TypeError("An answer is an object.")
    for path in expand:
        parts = path.split(".")
        if len(parts) > _MAX_DEPTH:
            raise invalid(f"You cannot expand more than {_MAX_DEPTH} levels of a property. Property: {path}")
        _expand(account, shown, parts, owner=None, path=path)
    return shown


def _expand(account: Account, shown: Json, parts: list[str], *, owner: Resource | None, path: str) -> None:
    """Expand one path. `owner` is the object that `shown` is a part of."""
    owner = _resource(account, shown) or owner
    name, rest = parts[0], parts[1:]
    if name not in shown and owner is not None and shown.get("id") == owner.id:
        _include(owner, shown, name)
    value = shown.get(name)
    if isinstance(value, str) and owner is not None and name in owner.EXPANDS:
        found = account.objects.get(owner.EXPANDS[name], {}).get(value)
        value = shown[name] = value if found is None else document(found)
    elif isinstance(value, str) or name not in shown:
        raise invalid(f"This property cannot be expanded ({path}).", "expand")
    if not rest:
        return
    for part in value if isinstance(value, list) else [value]:
        if isinstance(part, dict):
            _expand(account, part, rest, owner=owner, path=path)


def _resource(account: Account, shown: Json) -> Resource | None:
    return account.objects.get(str(shown.get("object")), {}).get(str(shown.get("id")))


def _include(owner: Resource, shown: Json, name: str) -> None:
    """Add a field that is returned only if the request includes it."""
    for one in fields(owner):
        if one.name == name and one.metadata.get("includable"):
            part = document(getattr(owner, name))
            if isinstance(part, list):
                part = page(part, url=f"{owner.PATH}/{owner.id}/{name}")
            shown[name] = part
