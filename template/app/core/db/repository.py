"""The generic repository: the statements that every table needs, written once."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ColumnElement, Select, SQLColumnExpression, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped
from sqlmodel import SQLModel, col

from app.core.db.database import fetch_in, is_unique_violation
from app.core.db.models import Entity, SoftDelete, utc_now
from app.core.db.page_query import PageShape, items_of, page_statement
from app.core.db.pagination import MAX_LIMIT, Page, PageParams
from app.core.errors import ConflictError, NotFoundError
from app.kit.search import like_pattern


class Repository[M: Entity]:
    """Reads and writes the rows of one table, in the caller's transaction. Never commits.

    A subclass says which table:

        class ProjectRepository(Repository[Project]):
            model = Project
            owner = col(Project.owner_id)
            searchable = (col(Project.name), col(Project.description))

    Rows of a `SoftDelete` model that have been soft-deleted are invisible unless `with_deleted=True` asks for them.
    Where `owner_id` is given, rows of other owners are invisible as well.

    Attributes:
        model: the table.
        owner: the column that names a row's owner, where there is one.
        searchable: the text columns that a search looks into.
    """

    model: type[M]
    owner: ClassVar[Mapped[UUID] | None] = None
    searchable: ClassVar[Sequence[Mapped[str] | Mapped[str | None]]] = ()

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(
        self,
        id: UUID,  # noqa: A002 - the column's name
        *,
        owner_id: UUID | None = None,
        with_deleted: bool = False,
    ) -> M | None:
        """The row with this key, if it is visible."""
        statement = self._select(col(self.model.id) == id, owner_id=owner_id, with_deleted=with_deleted)
        return (await self.session.scalars(statement)).one_or_none()

    async def require(
        self,
        id: UUID,  # noqa: A002 - the column's name
        *,
        owner_id: UUID | None = None,
        with_deleted: bool = False,
    ) -> M:
        """The row with this key.

        Raises:
            NotFoundError: there is none that is visible.
        """
        entity = await self.get(id, owner_id=owner_id, with_deleted=with_deleted)
        if entity is None:
            raise NotFoundError(self.model.__name__, id)
        return entity

    async def get_by_field[V](self, column: Mapped[V], value: V, *, with_deleted: bool = False) -> M | None:
        """The oldest visible row with this value: `get_by_field(col(Project.name), "Apollo")`."""
        statement = self._select(column == value, with_deleted=with_deleted).order_by(col(self.model.id)).limit(1)
        return (await self.session.scalars(statement)).one_or_none()

    async def get_multi(
        self,
        *where: ColumnElement[bool],
        owner_id: UUID | None = None,
        with_deleted: bool = False,
        skip: int = 0,
        limit: int = MAX_LIMIT,
    ) -> Sequence[M]:
        """The visible rows that fit every condition, the newest first."""
        statement = self._select(*where, owner_id=owner_id, with_deleted=with_deleted)
        statement = statement.order_by(col(self.model.id).desc()).offset(skip).limit(limit)
        return (await self.session.scalars(statement)).all()

    async def get_by_owner(self, owner_id: UUID, *, skip: int = 0, limit: int = MAX_LIMIT) -> Sequence[M]:
        """The owner's visible rows, the newest first."""
        return await self.get_multi(owner_id=owner_id, skip=skip, limit=limit)

    async def count(self, *where: ColumnElement[bool], owner_id: UUID | None = None, with_deleted: bool = False) -> int:
        """How many visible rows fit every condition."""
        conditions = self._conditions(where, owner_id=owner_id, with_deleted=with_deleted)
        return (await self.session.scalars(select(func.count()).select_from(self.model).where(*conditions))).one()

    async def page[S: BaseModel](
        self,
        schema: type[S],
        params: PageParams,
        *where: ColumnElement[bool],
        search: str | None = None,
        owner_id: UUID | None = None,
        with_deleted: bool = False,
        order_by: Sequence[SQLColumnExpression[Any]] = (),
    ) -> Page[S]:
        """A page of the visible rows, the newest first, as the response shows them, in one statement.

        Args:
            schema: of one item; each of its fields is a column of the table.
            search: text that one of the searchable columns has to contain, whatever its case.
            order_by: instead of the newest first; the key is added, so that no row shows up on two pages.

        Raises:
            TypeError: a field of the schema is no column of the table, or there is no column to search.
        """
        shape = PageShape(
            model=self.model,
            schema=schema,
            owner=None if owner_id is None else self._owner().key,
            searched=self._searched() if search else (),
            empty="deleted_at" if issubclass(self.model, SoftDelete) and not with_deleted else None,
            newest_first=not order_by,
        )
        statement = page_statement(shape)
        if where:
            statement = statement.where(*where)
        if order_by:
            statement = statement.order_by(*order_by, col(self.model.id).desc())
        values = {"owner_id": owner_id, "pattern": like_pattern(search or "")}
        rows = await fetch_in(self.session, statement, values | {"skip": params.skip, "limit": params.limit})
        total = rows[0][-1] if rows else 0
        if not rows and params.skip:
            # Past the end no row brings the total along: the first one does, if there is any.
            first = await fetch_in(self.session, statement, values | {"skip": 0, "limit": 1})
            total = first[0][-1] if first else 0
        return Page(items=items_of(schema, rows), total=total, skip=params.skip, limit=params.limit)

    async def create(self, data: BaseModel | Mapping[str, object]) -> M:
        """Adds a row with these values.

        Raises:
            ConflictError: a value that has to be unique is taken.
        """
        entity = self.model()
        self.session.add(entity)
        return await self._write(entity, data.model_dump() if isinstance(data, BaseModel) else data)

    async def create_with_owner(self, data: BaseModel | Mapping[str, object], owner_id: UUID) -> M:
        """Adds a row that belongs to this owner, whatever the data say.

        Raises:
            ConflictError: a value that has to be unique is taken.
        """
        values = data.model_dump() if isinstance(data, BaseModel) else data
        return await self.create({**values, self._owner().key: owner_id})

    async def update(self, entity: M, data: BaseModel | Mapping[str, object]) -> M:
        """Changes the row; of a schema only the fields that were set, as PATCH means it.

        Raises:
            ConflictError: a value that has to be unique is taken.
        """
        return await self._write(entity, data.model_dump(exclude_unset=True) if isinstance(data, BaseModel) else data)

    async def delete(self, entity: M) -> None:
        """Removes the row for good."""
        await self.session.delete(entity)
        await self.session.flush()

    async def soft_delete(self, entity: M) -> M:
        """Hides the row of a `SoftDelete` model; `restore` brings it back."""
        return await self._write(entity, {"deleted_at": utc_now()})

    async def restore(self, entity: M) -> M:
        """Shows a soft-deleted row again; find it with `with_deleted=True`."""
        return await self._write(entity, {"deleted_at": None})

    async def _write(self, entity: M, values: Mapping[str, object]) -> M:
        """Sets the values and sends them, so that a violated constraint shows here and not at the commit."""
        _check_fields(self.model, values)
        for name, value in values.items():
            setattr(entity, name, value)
        try:
            await self.session.flush()
        except IntegrityError as error:
            if is_unique_violation(error):
                raise ConflictError(f"There is already such a {self.model.__name__}.") from error
            raise
        return entity

    def _select(
        self, *where: ColumnElement[bool], owner_id: UUID | None = None, with_deleted: bool = False
    ) -> Select[M]:
        return select(self.model).where(*self._conditions(where, owner_id=owner_id, with_deleted=with_deleted))

    def _conditions(
        self, where: Sequence[ColumnElement[bool]], *, owner_id: UUID | None, with_deleted: bool
    ) -> list[ColumnElement[bool]]:
        conditions = list(where)
        if owner_id is not None:
            conditions.append(self._owner() == owner_id)
        if issubclass(self.model, SoftDelete) and not with_deleted:
            conditions.append(col(self.model.deleted_at).is_(None))
        return conditions

    def _searched(self) -> tuple[str, ...]:
        if not self.searchable:
            raise TypeError(f"{type(self).__name__} has no searchable columns: set `searchable = (col(…), …)`.")
        return tuple(cast("InstrumentedAttribute[str]", column).key for column in self.searchable)

    def _owner(self) -> InstrumentedAttribute[UUID]:
        # Of the class: read from an instance, a column would look for its value there.
        owner = type(self).owner
        if owner is None:
            raise TypeError(f"{type(self).__name__} has no owner: set `owner = col({self.model.__name__}.…)`.")
        return owner


def _check_fields(model: type[SQLModel], values: Mapping[str, object]) -> None:
    """A name that is misspelt would be dropped without a word."""
    unknown = values.keys() - model.model_fields.keys()
    if unknown:
        raise TypeError(f"{model.__name__} has no field {', '.join(sorted(unknown))}.")
