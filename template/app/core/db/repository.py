"""The generic repository: the statements that every table needs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, cast
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import ColumnElement, CursorResult, Select, SQLColumnExpression, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute, Mapped
from sqlmodel import col

from app.core.db.bulk import Values, assign, bounded, check_changes, conflicts, update_rows, values_of
from app.core.db.bulk_changes import report_bulk_change
from app.core.db.list_options import Computed, Filter, Join, conditions, ordering
from app.core.db.models import Entity, SoftDelete, utc_now
from app.core.db.page_query import PageShape, fetch_page, page_statement
from app.core.db.pagination import MAX_LIMIT, Page, PageParams
from app.core.errors import NotFoundError
from app.kit.search import like_pattern


class Repository[M: Entity]:
    """A repository of the rows of one table. It works in the caller's transaction and never commits.

    A subclass names the table, and what its lists can be filtered and sorted by:

        class ProjectRepository(Repository[Project]):
            model = Project
            owner = col(Project.owner_id)
            searchable = (col(Project.name), col(Project.description))
            filters = {"created_after": Filter(col(Project.created_at), "gt")}
            sortable = {"name": col(Project.name)}

    Soft-deleted rows of a `SoftDelete` model are invisible, unless `with_deleted=True` includes them. With `owner_id`,
    rows of other owners are invisible as well.

    Attributes:
        model: the table.
        owner: the column with the row's owner, if it has one.
        searchable: the text columns that `search` looks at.
        filters: the conditions that `page` takes, by name.
        sortable: the columns that `page` can sort by, by name.
        joins: other tables whose columns the items of a page show.
        computed: fields of the items of a page that the database computes.
    """

    model: type[M]
    owner: ClassVar[Mapped[UUID] | None] = None
    searchable: ClassVar[Sequence[Mapped[str] | Mapped[str | None]]] = ()
    filters: ClassVar[Mapping[str, Filter]] = {}
    sortable: ClassVar[Mapping[str, SQLColumnExpression[Any]]] = {}
    joins: ClassVar[Sequence[Join]] = ()
    computed: ClassVar[Sequence[Computed]] = ()

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def get(
        self,
        id: UUID,  # noqa: A002 - the column's name
        *,
        owner_id: UUID | None = None,
        with_deleted: bool = False,
    ) -> M | None:
        """Return the row with this key, or `None` if it is not visible."""
        statement = self._select(col(self.model.id) == id, owner_id=owner_id, with_deleted=with_deleted)
        return (await self.session.scalars(statement)).one_or_none()

    async def require(
        self,
        id: UUID,  # noqa: A002 - the column's name
        *,
        owner_id: UUID | None = None,
        with_deleted: bool = False,
    ) -> M:
        """Return the row with this key.

        Raises:
            NotFoundError: no such row is visible.
        """
        entity = await self.get(id, owner_id=owner_id, with_deleted=with_deleted)
        if entity is None:
            raise NotFoundError(self.model.__name__, id)
        return entity

    async def get_by_field[V](self, column: Mapped[V], value: V, *, with_deleted: bool = False) -> M | None:
        """Return the oldest visible row with this value: `get_by_field(col(Project.name), "Apollo")`."""
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
        """Return the visible rows that meet all conditions, newest first."""
        found = self._select(*where, owner_id=owner_id, with_deleted=with_deleted)
        statement = found.order_by(col(self.model.id).desc()).offset(skip).limit(limit)
        return (await self.session.scalars(statement)).all()

    async def get_multi_by_owner(self, owner_id: UUID, *, skip: int = 0, limit: int = MAX_LIMIT) -> Sequence[M]:
        """Return the owner's visible rows, newest first."""
        return await self.get_multi(owner_id=owner_id, skip=skip, limit=limit)

    async def count(self, *where: ColumnElement[bool], owner_id: UUID | None = None, with_deleted: bool = False) -> int:
        """Count the visible rows that meet all conditions."""
        visible = self._conditions(where, owner_id=owner_id, with_deleted=with_deleted)
        return (await self.session.scalars(select(func.count()).select_from(self.model).where(*visible))).one()

    async def count_by_owner(self, owner_id: UUID) -> int:
        """Count the owner's visible rows."""
        return await self.count(owner_id=owner_id)

    async def page[S: BaseModel](
        self,
        schema: type[S],
        params: PageParams,
        *where: ColumnElement[bool],
        search: str | None = None,
        owner_id: UUID | None = None,
        with_deleted: bool = False,
        filters: Mapping[str, object] | None = None,
        sort: str | None = None,
        order_by: Sequence[SQLColumnExpression[Any]] = (),
    ) -> Page[S]:
        """Return a page of the visible rows as the response shows them, newest first, in one statement.

        Args:
            schema: of one item. Each of its fields is a column of the table or of a joined one, or is computed.
            params: the page.
            where: further conditions.
            search: text that one of the searchable columns contains, in any case.
            owner_id: the owner of the rows.
            with_deleted: include soft-deleted rows.
            filters: values by the names of `Repository.filters`; `None` is left out. `ListQuery.filters` has them.
            sort: names of `Repository.sortable`, such as `due_on`, `-due_on` (descending) or `status,-due_on`.
            order_by: an order that the caller chooses. Rows that are equal in it, as in `sort`, are ordered by their
                key, so that no row appears on two pages.

        Raises:
            BadRequestError: the list can't be sorted by this.
            TypeError: a field of the schema is no column, there is no such filter, or no column to search.
        """
        shape = PageShape(
            model=self.model,
            schema=schema,
            owner=None if owner_id is None else self._owner().key,
            searched=self._searched() if search else (),
            empty="deleted_at" if issubclass(self.model, SoftDelete) and not with_deleted else None,
            newest_first=not order_by and not sort,
            joins=tuple(type(self).joins),
            computed=tuple(type(self).computed),
        )
        statement = page_statement(shape)
        where = (*where, *conditions(type(self).filters, filters or {}))
        if where:
            statement = statement.where(*where)
        order_by = (*(ordering(type(self).sortable, sort) if sort else ()), *order_by)
        if order_by:
            statement = statement.order_by(*order_by, col(self.model.id).desc())
        values = {"owner_id": owner_id, "pattern": like_pattern(search or "")}
        return await fetch_page(self.session, statement, schema, params, values)

    async def create(self, data: Values) -> M:
        """Add a row with these values.

        Raises:
            ConflictError: a value that must be unique is taken.
        """
        return (await self.create_multi([data]))[0]

    async def create_multi(self, rows: Iterable[Values], *, owner_id: UUID | None = None) -> Sequence[M]:
        """Add up to `MAX_BULK_ROWS` rows in one statement, all or none.

        Args:
            rows: their values.
            owner_id: the owner of all of them, even if the data names another.

        Raises:
            ConflictError: a value that must be unique is taken.
            ValueError: there are too many rows.
        """
        owner = {} if owner_id is None else {self._owner().key: owner_id}
        entities = [assign(self.model(), {**values_of(data), **owner}) for data in bounded(rows)]
        self.session.add_all(entities)
        await self._flush()
        if len(entities) > 1:
            await report_bulk_change(self.session, self.model, "created", len(entities))
        return entities

    async def create_with_owner(self, data: Values, owner_id: UUID) -> M:
        """Add a row that belongs to this owner, even if the data names another.

        Raises:
            ConflictError: a value that must be unique is taken.
        """
        return (await self.create_multi([data], owner_id=owner_id))[0]

    async def update(self, entity: M, data: Values) -> M:
        """Change the row. Of a schema, only the fields that were set, as in PATCH.

        Raises:
            ConflictError: a value that must be unique is taken.
            TypeError: the data names a field that doesn't exist, the key, the owner or a time. `soft_delete` and
                `restore` set `deleted_at`; to transfer the row, assign its owner to the object.
        """
        values = values_of(data, only_set=True)
        check_changes(self.model, values, "deleted_at", self._owner_name())
        return await self._write(entity, values)

    async def update_multi(
        self, values: Mapping[str, object], *where: ColumnElement[bool], owner_id: UUID | None = None
    ) -> int:
        """Change all visible rows that meet the conditions to the same values, in one statement. Returns their number.

        Rows that the session has loaded before are changed as well. `{"deleted_at": utc_now()}` hides all of them.

        Raises:
            ConflictError: a value that must be unique is taken.
            TypeError: the data names a field that doesn't exist, the key, the owner, or the time of creation or update.
        """
        check_changes(self.model, values, self._owner_name())
        visible = self._conditions(where, owner_id=owner_id, with_deleted=False)
        statement = update(self.model).where(*visible).values({"updated_at": utc_now(), **values})
        with conflicts(self.model):
            result = await self.session.execute(statement)
        count = cast("CursorResult[Any]", result).rowcount
        await report_bulk_change(self.session, self.model, "updated", count, values)
        return count

    async def update_each(self, changes: Mapping[UUID, Values], *, owner_id: UUID | None = None) -> int:
        """Change up to `MAX_BULK_ROWS` visible rows, each to its own values, in one statement. Returns their number.

        Rows that are not visible are left as they are. Rows that the session has loaded before are changed as well.

        Args:
            changes: the new values by the rows' keys. Of a schema, only the fields that were set, as in PATCH.

        Raises:
            ConflictError: a value that must be unique is taken. No row is changed.
            ValueError: there are too many rows or values.
            TypeError: see `update_multi`.
        """
        visible = self._conditions((), owner_id=owner_id, with_deleted=False)
        return await update_rows(self.session, self.model, changes, visible, self._owner_name())

    async def delete(self, entity: M) -> None:
        """Delete the row permanently."""
        await self.session.delete(entity)
        await self.session.flush()

    async def soft_delete(self, entity: M) -> M:
        """Hide the row of a `SoftDelete` model; `restore` shows it again."""
        return await self._write(entity, {"deleted_at": utc_now()})

    async def restore(self, entity: M) -> M:
        """Show a soft-deleted row again. Find it with `with_deleted=True`."""
        return await self._write(entity, {"deleted_at": None})

    async def _write(self, entity: M, values: Mapping[str, object]) -> M:
        assign(entity, values)
        await self._flush()
        return entity

    async def _flush(self) -> None:
        """Send the changes, so that a violated constraint shows here and not at the commit."""
        with conflicts(self.model):
            await self.session.flush()

    def _select(
        self, *where: ColumnElement[bool], owner_id: UUID | None = None, with_deleted: bool = False
    ) -> Select[M]:
        return select(self.model).where(*self._conditions(where, owner_id=owner_id, with_deleted=with_deleted))

    def _conditions(
        self, where: Sequence[ColumnElement[bool]], *, owner_id: UUID | None, with_deleted: bool
    ) -> list[ColumnElement[bool]]:
        visible = list(where)
        if owner_id is not None:
            visible.append(self._owner() == owner_id)
        if issubclass(self.model, SoftDelete) and not with_deleted:
            visible.append(col(self.model.deleted_at).is_(None))
        return visible

    def _searched(self) -> tuple[str, ...]:
        if not self.searchable:
            raise TypeError(f"{type(self).__name__} has no searchable columns: set `searchable = (col(…), …)`.")
        return tuple(cast("InstrumentedAttribute[str]", column).key for column in self.searchable)

    def _owner_name(self) -> str | None:
        return None if type(self).owner is None else self._owner().key

    def _owner(self) -> InstrumentedAttribute[UUID]:
        # Of the class: read from an instance, a column would look for its value there.
        owner = type(self).owner
        if owner is None:
            raise TypeError(f"{type(self).__name__} has no owner: set `owner = col({self.model.__name__}.…)`.")
        return owner
