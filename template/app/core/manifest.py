"""The manifest: everything the application knows about a module, as one value. Value types only."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Concatenate, Self
from uuid import UUID

from fastapi import APIRouter
from fastapi.params import Depends
from sqlalchemy import ColumnElement, Executable, Select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import SQLModel

from app.core.admin_view import AdminView
from app.core.config.settings import ModuleSettings
from app.core.ports.events import Event
from app.core.ports.queue import Json
from app.core.ports.realtime import ChannelUser
from app.core.runtime import Runtime

if TYPE_CHECKING:
    import click

type Setup = Callable[[Runtime], None]

type Lifespan = Callable[[Runtime], AbstractAsyncContextManager[None]]

type Job = Callable[Concatenate[Runtime, ...], Awaitable[object]]
"""A coroutine function that takes the runtime, followed by JSON values, and returns JSON."""

type Payload = dict[str, Json]

type InboxHandler = Callable[[Runtime, AsyncSession, Payload], Awaitable[None]]
"""`async (runtime, session, payload)`: works in the session's transaction, which also marks the event as done."""

type InboxJob = Callable[[Runtime, Payload], Awaitable[None]]
"""`async (runtime, payload)`: a handler that calls other systems. Idempotent, since it may run more than once."""

type Erase = Callable[[Runtime, AsyncSession, UUID], Awaitable[None]]
"""`async (runtime, session, user_id)`: works in the session's transaction. Idempotent."""

type DeleteExpired = Callable[[Runtime, AsyncSession, int], Awaitable[int]]
"""`async (runtime, session, limit)`: deletes up to `limit` expired rows in the session's transaction, and returns their
number. It is called until it deletes fewer."""

type BeforeErasure = Callable[[Runtime, UUID], Awaitable[None]]
"""`async (runtime, user_id)`: runs before a user is erased, without a transaction. Idempotent. It raises to refuse."""

type AuthorizeChannel = Callable[[Runtime, ChannelUser, Mapping[str, str]], Awaitable[bool]]
"""`async (runtime, user, parameters)`: whether the user may read the channel with these parameters of its pattern."""

type CountQuery = Callable[[datetime, datetime], Select[int]]
"""Return the counting statement for the period from the first argument until before the second."""

type GaugeQuery = Callable[[Runtime, datetime], Executable]
"""Return the statement for the present time. Its rows are the values of the labels, and a number, or a time
of which the age in seconds is the number. Further columns are ignored."""

type FigureQuery = Callable[[Runtime, datetime], Executable]
"""Return the statement for the present time. Its rows are a label, a number, and whether the number is exact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cron:
    """A job that runs on a schedule. The fields are those of cron: numbers, `*`, `*/15`, `1-5`, `MON-FRI`, `L`.

    Attributes:
        function: a job without arguments besides the runtime.
        minute: by default at the full hour.
        hour: by default every hour.
        day: of the month. If both the day and the weekday are restricted, a match of either is enough, as in cron.
        month: 1 to 12, or `JAN` to `DEC`.
        weekday: `MON` to `SUN`. Names only, since numbers start at Sunday in cron and at Monday in Python.
        time_zone: a name of the IANA database, such as `Europe/Berlin`.
    """

    function: Job
    minute: int | str = 0
    hour: int | str = "*"
    day: int | str = "*"
    month: int | str = "*"
    weekday: str = "*"
    time_zone: str = "UTC"

    @property
    def expression(self) -> str:
        """The schedule as a cron expression."""
        return f"{self.minute} {self.hour} {self.day} {self.month} {self.weekday}"


@dataclass(frozen=True, slots=True)
class Subscriber[E: Event]:
    """A subscription to an event: `handler(runtime, event)` runs after the commit and is retried on failure."""

    event: type[E]
    handler: Callable[[Runtime, E], Awaitable[None]]

    @property
    def name(self) -> str:
        """The handler's name in the queue."""
        return f"{self.handler.__module__}.{self.handler.__qualname__}({self.event.__qualname__})"


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthCheck:
    """A dependency that the readiness route checks.

    Attributes:
        check: returns when the dependency works and raises otherwise. It is cancelled after two seconds.
        degrades: true if the application can still serve without it. It then stays ready and reports `degraded`.
    """

    name: str
    check: Callable[[Runtime], Awaitable[None]]
    degrades: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Diagnostic:
    """A check of the stored data that `app doctor` runs, but no probe. It may read whole tables.

    Attributes:
        check: returns one warning for each problem: what is wrong and what to do. Contains no personal data.
    """

    name: str
    check: Callable[[Runtime], Awaitable[Sequence[str]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Guards:
    """Dependencies that run before every route of an area, even if the route doesn't ask for the user."""

    app: Depends
    admin: Depends


@dataclass(frozen=True, kw_only=True, slots=True)
class RetentionRule:
    """Rows of a table that are deleted once they expire.

    Attributes:
        model: the table; its primary key has one column.
        expired: the condition: `lambda _runtime, now: col(Project.deleted_at) < now - timedelta(days=30)`.
        delete: runs instead of deleting the rows, where deleting them changes others too.
    """

    model: type[SQLModel]
    expired: Callable[[Runtime, datetime], ColumnElement[bool]]
    delete: DeleteExpired | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PersonalData:
    """Rows of a table that are about a user. Every table with a foreign key to users needs one.

    Attributes:
        model: the table; its primary key has one column.
        belongs: the condition: `lambda user_id: col(Project.owner_id) == user_id`.
        withheld: columns that an export leaves out because they protect someone, such as the hash of a token.
        erase: runs instead of deleting the rows, for example where files have to be deleted too, or where
            other users still need part of the row.
    """

    model: type[SQLModel]
    belongs: Callable[[UUID], ColumnElement[bool]]
    withheld: frozenset[str] = frozenset()
    erase: Erase | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportMetric:
    """A number in the daily report, under a name such as `projects_created`. Contains no personal data."""

    name: str
    count: CountQuery


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """A figure on the administrators' dashboard: a number for each label. Contains no personal data.

    Attributes:
        name: such as `projects_created`. Unique.
        query: returns the statement for the present time, whose rows are a label, a number, and whether the number is
            exact. Its cost must not grow with the table: `app.core.data_policy.figures` has such statements.
        unit: the unit of the numbers: `count`, `bytes`, or the smallest unit of a currency, such as `usd`.
    """

    name: str
    query: FigureQuery
    unit: str = "count"


@dataclass(frozen=True, kw_only=True, slots=True)
class Gauge:
    """A number in the database that monitoring reads every few seconds. Contains no personal data.

    Attributes:
        name: such as `app_jobs`, with the unit at the end: `app_jobs_oldest_age_seconds`. Unique.
        help: one sentence.
        query: returns the statement for the present time: see `GaugeQuery`. Its cost must not grow with the table:
            `app.core.data_policy.figures` and `app.core.data_policy.gauges` have such statements.
        labels: their names. Each has few values, all of them known to the code.
    """

    name: str
    help: str
    query: GaugeQuery
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanLevel:
    """A quantity of a user that the plan limits, such as the number of projects.

    Attributes:
        resource: the name in the plans, such as `projects`.
        measure: the statement that returns the current quantity: `lambda user_id: select(func.count())…`.
    """

    resource: str
    measure: Callable[[UUID], Select[int]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Channel:
    """Channels of realtime events that clients can subscribe to.

    Attributes:
        pattern: a name with parameters, such as `project:{id}`. A parameter is one or more characters other than `:`.
        authorize: decides who may subscribe. Called at the subscription, every minute, and by
            `runtime.realtime.recheck`.
        presence: whether subscribers see which users are subscribed. They see their ids.
    """

    pattern: str
    authorize: AuthorizeChannel
    presence: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """A module's manifest. Everything except the name is optional.

    Attributes:
        name: the name of its folder, its tests and its migrations.
        models: its tables.
        router: its routes under `/api/v1/app`, for authenticated users.
        admin_router: its routes under `/api/v1/admin`, for administrators.
        public_router: its routes under `/api/v1/public`, without authentication.
        page_router: its web pages, without the prefix `/api/v1` and without authentication.
        guards: the guards of the app and admin areas. Exactly one module provides them.
        app_dependencies: dependencies of every module's app routes, after the guard: for example to count calls.
        unmetered: its app routes run without the `app_dependencies`: users need them even if their quota is used up.
        settings: its settings classes. `runtime.resource(cls)` returns the validated value.
        jobs: functions that may be enqueued.
        crons: jobs that run on a schedule.
        subscribers: its subscriptions to events of other modules.
        inbox_handlers: handlers of inbound webhooks: `async (runtime, session, payload) -> None`. A handler runs in the
            transaction that marks its event as done. A webhook's route passes one to `core.inbox.service.receive`.
        inbox_jobs: handlers that call other systems: `async (runtime, payload) -> None`. They hold no connection
            meanwhile, and run before the transaction that marks the event as done: more than once, if need be.
        health_checks: dependencies that the readiness route checks.
        diagnostics: checks of the stored data that `app doctor` runs.
        setup: called when a process creates its runtime, before anything is opened. May provide resources that need no
            connection, and raises `UserError` if the application is inconsistent.
        lifespan: opened when the application starts and closed when it stops. May override ports and provide resources.
        background: opened after every lifespan and the queue, and closed before them, in processes that do background
            work: the server and the workers, but not commands and tests.
        commands: its subcommands of the command `app`.
        before_erasure: what it ends elsewhere before a user is erased, such as subscriptions at a payment provider. If
            one raises, no data of the user is deleted.
        personal_data: its rows about users: what an export contains and an erasure removes.
        retention: its rows that expire.
        report_metrics: its numbers in the daily report.
        figures: its figures on the administrators' dashboard.
        gauges: its numbers that monitoring reads.
        levels: its quantities that plans limit.
        admin_views: its tables in the browser admin (`app.core.admin_view`).
        channels: its channels of realtime events.
    """

    name: str
    models: tuple[type[SQLModel], ...] = ()
    router: APIRouter | None = None
    admin_router: APIRouter | None = None
    public_router: APIRouter | None = None
    page_router: APIRouter | None = None
    guards: Guards | None = None
    app_dependencies: tuple[Depends, ...] = ()
    unmetered: bool = False
    settings: tuple[type[ModuleSettings], ...] = ()
    jobs: tuple[Job, ...] = ()
    crons: tuple[Cron, ...] = ()
    subscribers: tuple[Subscriber[Any], ...] = ()
    inbox_handlers: tuple[InboxHandler, ...] = ()
    inbox_jobs: tuple[InboxJob, ...] = ()
    health_checks: tuple[HealthCheck, ...] = ()
    diagnostics: tuple[Diagnostic, ...] = ()
    setup: Setup | None = None
    lifespan: Lifespan | None = None
    background: Lifespan | None = None
    commands: "tuple[click.Command, ...]" = ()
    before_erasure: tuple[BeforeErasure, ...] = ()
    personal_data: tuple[PersonalData, ...] = ()
    retention: tuple[RetentionRule, ...] = ()
    report_metrics: tuple[ReportMetric, ...] = ()
    figures: tuple[Figure, ...] = ()
    gauges: tuple[Gauge, ...] = ()
    levels: tuple[PlanLevel, ...] = ()
    admin_views: tuple[AdminView, ...] = ()
    channels: tuple[Channel, ...] = ()


@dataclass(frozen=True, slots=True)
class PlanLevels:
    """The levels of all modules by their resource, as a resource of the runtime."""

    by_resource: Mapping[str, PlanLevel]

    @classmethod
    def of(cls, modules: Sequence[Module]) -> Self:
        """Collect the levels.

        Raises:
            ValueError: two modules measure the same resource.
        """
        levels = [level for module in modules for level in module.levels]
        names = [level.resource for level in levels]
        if len(set(names)) < len(names):
            raise ValueError(f"Two modules measure the same level; each needs a name of its own: {', '.join(names)}.")
        return cls(dict(zip(names, levels, strict=True)))


@dataclass(frozen=True, slots=True)
class DeclaredChannels:
    """The channels of all modules, as a resource of the runtime."""

    channels: tuple[Channel, ...]

    @classmethod
    def of(cls, modules: Sequence[Module]) -> Self:
        """Collect the channels.

        Raises:
            ValueError: two modules declare the same pattern.
        """
        channels = tuple(channel for module in modules for channel in module.channels)
        patterns = [channel.pattern for channel in channels]
        if len(set(patterns)) < len(patterns):
            raise ValueError(f"Two modules declare the same channel; rename one of them: {', '.join(patterns)}.")
        return cls(channels)


@dataclass(frozen=True, slots=True)
class ModuleList:
    """The modules that a runtime consists of, as a resource of the runtime."""

    modules: tuple[Module, ...]


def modules_of(runtime: Runtime) -> tuple[Module, ...]:
    """Return the modules of the running application, in their order."""
    return runtime.resource(ModuleList).modules
