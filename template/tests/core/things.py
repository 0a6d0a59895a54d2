"""A table of the tests' own, which no migration knows."""

from typing import ClassVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import MetaData, UniqueConstraint
from sqlmodel import Field, col

from app.core.db.list_options import Filter
from app.core.db.models import Entity, SoftDelete
from app.core.db.repository import Repository


class Thing(Entity, SoftDelete, table=True):
    """A thing with an owner, which can be soft-deleted."""

    metadata = MetaData()
    __tablename__ = "things"
    __table_args__ = (UniqueConstraint("code", name="uq_things_code"),)

    owner_id: UUID
    name: str = Field(max_length=50)
    note: str | None = None
    code: int | None = None


class ThingCreate(BaseModel):
    """A new thing."""

    name: str
    note: str | None = None
    code: int | None = None


class ThingUpdate(BaseModel):
    """Changes."""

    name: str = ""
    note: str | None = None


class ThingRead(BaseModel):
    """A thing as responses show it."""

    id: UUID
    name: str
    note: str | None


class ThingRepository(Repository[Thing]):
    """Things."""

    model = Thing
    owner: ClassVar = col(Thing.owner_id)
    searchable: ClassVar = (col(Thing.name), col(Thing.note))
    filters: ClassVar = {
        "code": Filter(col(Thing.code)),
        "codes": Filter(col(Thing.code), "in"),
        "above": Filter(col(Thing.code), "gt"),
        "note": Filter(col(Thing.note), "contains"),
        "made_after": Filter(col(Thing.created_at), "gt"),
    }
    sortable: ClassVar = {"name": col(Thing.name), "code": col(Thing.code)}


class Plain(Entity, table=True):
    """A thing without an owner, which cannot be soft-deleted."""

    metadata = Thing.metadata
    __tablename__ = "plain_things"


class PlainRepository(Repository[Plain]):
    """Such things."""

    model = Plain
