"""The base of the objects of Stripe's API.

Each object is a dataclass whose fields have the names of the API's fields, so that its JSON is made by walking it.
Fields that the API always sends exist even if the fake doesn't use them.
"""

from dataclasses import dataclass, fields, is_dataclass
from typing import ClassVar

type Json = dict[str, object]
type Metadata = dict[str, str]

INCLUDABLE = {"includable": True}
"""Metadata of a field that the API leaves out unless `expand[]` names it."""
HIDDEN = {"hidden": True}
"""Metadata of a field that the API never shows."""
EMBEDDED = {"embedded": True}
"""Metadata of a list that the API shows as a list object with `data` and `has_more`."""


@dataclass(kw_only=True)
class Resource:
    """An object with an id.

    Attributes:
        OBJECT: the value of the field `object`.
        PREFIX: how ids begin.
        PATH: the path of the list of these objects.
        EXPANDS: the type of the object behind each field that holds an id.
    """

    OBJECT: ClassVar[str]
    PREFIX: ClassVar[str]
    PATH: ClassVar[str]
    EXPANDS: ClassVar[dict[str, str]] = {}

    id: str
    created: int
    livemode: bool = False


@dataclass(kw_only=True)
class Deleted:
    """The answer to the deletion of an object."""

    id: str
    kind: str


def document(value: object) -> object:
    """Return the JSON of an object, or of a part of one. Includable fields are left out."""
    if isinstance(value, Deleted):
        return {"id": value.id, "object": value.kind, "deleted": True}
    if isinstance(value, list):
        return [document(entry) for entry in value]
    if isinstance(value, dict):
        return {key: document(entry) for key, entry in value.items()}
    if not is_dataclass(value) or isinstance(value, type):
        return value
    found: Json = {"id": value.id, "object": value.OBJECT} if isinstance(value, Resource) else {}
    for one in fields(value):
        if one.metadata.get("includable") or one.metadata.get("hidden"):
            continue
        part = document(getattr(value, one.name))
        if one.metadata.get("embedded") and isinstance(part, list):
            part = page(part, url=f"/v1/{one.name}")
        found[one.name] = part
    return found


def page(entries: list[object], *, url: str, has_more: bool = False) -> Json:
    """Return a list object."""
    return {"object": "list", "data": entries, "has_more": has_more, "url": url}
