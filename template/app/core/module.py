"""The manifest: all that the application knows of a module, as one value."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter
from fastapi.params import Depends
from sqlmodel import SQLModel

from app.core.cleanup import Cleanup
from app.core.events import Subscriber
from app.core.inbox import InboxHandler
from app.core.personal_data import PersonalData
from app.core.queue import Cron, JobFunction
from app.core.report import Figure
from app.core.settings import ModuleSettings

if TYPE_CHECKING:
    import click

    from app.core.runtime import Runtime


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthCheck:
    """Something that the application stands on.

    Attributes:
        check: returns when all is well and raises otherwise; it is given two seconds.
        degrades: whether the application still serves without, only not as well. Then it stays ready, and says so.
    """

    name: str
    check: Callable[["Runtime"], Awaitable[None]]
    degrades: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Guards:
    """Dependencies that stand before every route of an area, whether or not the route asks for the user."""

    app: Depends
    admin: Depends


@dataclass(frozen=True, kw_only=True, slots=True)
class Module:
    """What a module adds. Everything but the name may be left out.

    Attributes:
        name: of its folder, its tests and its migrations.
        models: its tables.
        router: its routes under `/api/v1/app`, for authenticated users.
        admin_router: its routes under `/api/v1/admin`, for administrators.
        public_router: its routes under `/api/v1/public`, for everybody.
        guards: who may enter the app and admin areas; one module gives them.
        settings: its settings classes; `runtime.resource(cls)` gives the checked value.
        jobs: functions that may be queued.
        crons: jobs that run by the clock.
        subscribers: what it does when an event of another module is published.
        inbox_handlers: what handles other systems' webhooks: `async (runtime, session, payload) -> None`, run in one
            transaction with marking the event as done. A webhook's route passes one of them to `core.inbox.receive`.
        health_checks: what the readiness route asks.
        lifespan: opened when the application starts and closed when it stops; may put resources into the runtime.
        commands: what it adds to the command `app`.
        personal_data: which of its rows are about a user: what an export shows and an erasure removes.
        cleanups: which of its rows are removed when their time has come.
        figures: what it adds to the daily report.
        telemetry: whether it listens to what FastAPI tells OpenTelemetry, which is off otherwise: looking for listeners
            costs every request a tenth of its time.
    """

    name: str
    models: tuple[type[SQLModel], ...] = ()
    router: APIRouter | None = None
    admin_router: APIRouter | None = None
    public_router: APIRouter | None = None
    guards: Guards | None = None
    settings: tuple[type[ModuleSettings], ...] = ()
    jobs: tuple[JobFunction, ...] = ()
    crons: tuple[Cron, ...] = ()
    subscribers: "tuple[Subscriber[Any], ...]" = ()
    inbox_handlers: tuple[InboxHandler, ...] = ()
    health_checks: tuple[HealthCheck, ...] = ()
    lifespan: "Callable[[Runtime], AbstractAsyncContextManager[None]] | None" = None
    commands: "tuple[click.Command, ...]" = ()
    personal_data: tuple[PersonalData, ...] = ()
    cleanups: tuple[Cleanup, ...] = ()
    figures: tuple[Figure, ...] = ()
    telemetry: bool = False
