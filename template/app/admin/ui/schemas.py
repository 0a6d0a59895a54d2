"""The description of the views, from which the browser admin builds its pages."""

from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field

from app.core.admin_view import FieldValue

FieldKind = Literal["text", "long_text", "id", "number", "integer", "boolean", "datetime", "date", "choice", "json"]


class FieldRead(BaseModel):
    """A field of an item, a filter, or an input of a form."""

    name: str
    title: str
    kind: FieldKind
    description: str | None = None
    choices: list[FieldValue] = Field(default=[], description="The values of a `choice`.")
    required: bool = False
    nullable: bool = False
    default: object = None
    max_length: int | None = None
    minimum: float | None = None
    maximum: float | None = None
    link: str | None = Field(default=None, description="The path of the view whose item the value is the key of.")


class FormRead(BaseModel):
    """A form for the body of a request."""

    title: str
    description: str
    fields: list[FieldRead]


class ActionRead(BaseModel):
    """A button that changes an item."""

    method: str
    path: str = Field(description="The path after that of the item.", examples=["/deactivate"])
    label: str
    confirm: str = Field(description="The text of the confirmation.")
    only_if: dict[str, list[FieldValue]] = Field(description="The values of an item's fields that show the button.")
    danger: bool
    fields: list[FieldRead] = Field(description="The inputs of the confirmation, for a route with a body.")


class ViewRead(BaseModel):
    """A table in the browser admin."""

    title: str
    path: str
    description: str = ""
    problem: str | None = Field(default=None, description="Why the view cannot be shown: its declaration is wrong.")
    key: str = "id"
    label: str = "id"
    columns: list[FieldRead] = []
    fields: list[FieldRead] = Field(default=[], description="The fields of one item, on its own page.")
    filters: list[FieldRead] = []
    search: str | None = Field(default=None, description="What the search looks at; null if there is no search.")
    sort: list[str] = Field(default=[], description="The values of the parameter `sort`.")
    paging: Literal["offset", "cursor", "none"] = "none"
    page_size: int = 20
    exports: list[str] = Field(default=[], description="The file formats that the list offers besides JSON.")
    has_item: bool = Field(default=False, description="Whether an item can be read by its key.")
    create: FormRead | None = None
    edit: FormRead | None = None
    actions: list[ActionRead] = []


class AdminIdentity(BaseModel):
    """The administrator whose token the request carries."""

    id: UUID
    email: str | None
    full_name: str | None


class AdminUiRead(BaseModel):
    """The views of the browser admin, and the administrator who sees them."""

    user: AdminIdentity
    views: list[ViewRead]
    statistics: str | None = Field(description="The path of the statistics; null if there are none.")
