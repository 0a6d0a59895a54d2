"""Tables of the browser admin, as values of the manifest. Modules declare them; the piece `admin` shows them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

type FieldValue = str | bool | int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminAction:
    """Further properties of a button that the browser admin shows on an item.

    Every route below an item that changes it (`POST /users/{user_id}/deactivate`, `DELETE /files/{file_id}`) has a
    button, with the route's summary as its label and the route's description as its confirmation. This value changes
    them for one route.

    Attributes:
        path: the path after that of the item, such as `/deactivate`. Empty for a route of the item itself.
        method: the route's method.
        label: the button's text.
        confirm: the text of the confirmation: what happens, and whether it can be undone.
        only_if: the button is shown only on items whose fields have one of these values:
            `{"status": ("failed", "dead")}`. The route still has to refuse the others.
        danger: whether the action destroys something. The button is red then.
        hidden: whether the item has no such button.
    """

    path: str = ""
    method: Literal["POST", "PUT", "DELETE"] = "POST"
    label: str | None = None
    confirm: str | None = None
    only_if: Mapping[str, tuple[FieldValue, ...]] = field(default_factory=dict)
    danger: bool = False
    hidden: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class AdminView:
    """A table in the browser admin, over routes of an `admin_router`: `AdminView(title="Invoices", path="/invoices")`.

    The routes themselves define the rest. The list route's response defines the columns, its parameters `search`,
    `sort`, `skip`, `limit` and `cursor` the search box, the sort orders and the paging, and its other parameters the
    filters. `GET {path}/{id}` adds a page of details, `PATCH {path}/{id}` a form to edit an item, `POST {path}` a form
    to create one, and every other route below `{path}/{id}` that changes the item a button.

    Attributes:
        title: the plural that the menu shows, such as `Users`.
        path: of the list route, without the prefix of the admin area: `/users`.
        columns: the fields that the table shows, in this order. By default the first six of the response.
        key: the field that the routes of an item have in their path.
        label: the field that names an item in headings and confirmations. By default the first column.
        links: fields that contain the key of an item in another view, with its path: `{"owner_id": "/users"}`. Fields
            `user_id` lead to `/users` by themselves.
        actions: labels, confirmations and conditions of the buttons.
    """

    title: str
    path: str
    columns: tuple[str, ...] = ()
    key: str = "id"
    label: str | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    actions: tuple[AdminAction, ...] = ()
