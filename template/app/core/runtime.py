"""The runtime: what a running process holds. Routes, jobs and commands get it; nothing else is global."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from fastapi import Request

from app.core.audit import Audit, NoAudit
from app.core.cache import Cache, MemoryCache
from app.core.cleanup import cleanup_old_data
from app.core.database import Database, create_database
from app.core.events import Events, deliver_event
from app.core.inbox import InboxHandler, process_inbox_event
from app.core.inbox_sweeper import sweeping
from app.core.job_names import by_job_name
from app.core.leases import Leases, MemoryLeases
from app.core.limiter import Limiter, memory_limiter
from app.core.module import Module
from app.core.plans import FreePlan, Plans
from app.core.queue import InProcessQueue, JobFunction, Queue
from app.core.report import generate_daily_report
from app.core.settings import LoadedSettings, ModuleSettings, Settings, load_settings
from app.core.user_files import NoUserFiles, UserFiles

CORE_JOBS: tuple[JobFunction, ...] = (deliver_event, process_inbox_event, cleanup_old_data, generate_daily_report)


@dataclass(kw_only=True)
class Runtime:
    """The settings, the database and the ports. A module's lifespan may replace a port and add resources."""

    modules: tuple[Module, ...]
    settings: Settings
    database: Database
    plans: Plans = field(default_factory=FreePlan)
    cache: Cache = field(default_factory=MemoryCache)
    audit: Audit = field(default_factory=NoAudit)
    user_files: UserFiles = field(default_factory=NoUserFiles)
    limiter: Limiter = field(default_factory=memory_limiter)
    leases: Leases = field(default_factory=MemoryLeases)
    queue: Queue = field(init=False)
    events: Events = field(init=False)
    inbox_handlers: Mapping[str, InboxHandler] = field(init=False)
    _resources: dict[type, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Gives the ports that need the runtime themselves."""
        self.queue = InProcessQueue(self, jobs_of(self.modules))
        self.events = Events(self, [subscriber for module in self.modules for subscriber in module.subscribers])
        self.inbox_handlers = by_job_name(handler for module in self.modules for handler in module.inbox_handlers)

    def provide[T](self, key: type[T], value: T) -> None:
        """Makes a module's own object available to its routes and jobs."""
        self._resources[key] = value

    def resource[T](self, key: type[T]) -> T:
        """The object that was provided under `key`: a settings class, or what a module's lifespan put there.

        Raises:
            LookupError: nothing was.
        """
        if key not in self._resources:
            raise LookupError(f"Nothing provides {key.__qualname__}; is its module in app/modules.py?")
        return cast("T", self._resources[key])


def jobs_of(modules: Sequence[Module]) -> tuple[JobFunction, ...]:
    """Every job that may be queued."""
    return (*CORE_JOBS, *(job for module in modules for job in module.jobs))


def settings_classes(modules: Sequence[Module]) -> tuple[type[ModuleSettings], ...]:
    """Every settings class, the core's first."""
    return (Settings, *(cls for module in modules for cls in module.settings))


def create_runtime(
    modules: Sequence[Module], *, database: Database | None = None, loaded: LoadedSettings | None = None
) -> Runtime:
    """Checks all settings and puts the runtime together; connects to nothing.

    Args:
        database: instead of the one that DATABASE_URL names.
        loaded: the settings of all modules, where they have been read before.

    Raises:
        ConfigurationError: naming every unusable setting at once.
    """
    loaded = load_settings(settings_classes(modules)) if loaded is None else loaded
    settings = cast("Settings", loaded[Settings])
    runtime = Runtime(modules=tuple(modules), settings=settings, database=database or create_database(settings))
    for cls, value in loaded.items():
        runtime.provide(cls, value)
    return runtime


@asynccontextmanager
async def running(runtime: Runtime, *, background: bool = True) -> AsyncIterator[Runtime]:
    """Opens every module's lifespan in order, closes them in reverse, and finishes what is queued in between.

    Args:
        background: whether what was left in the inbox and in the queue is worked off meanwhile; tests and commands do
            without.

    Raises:
        ConfigurationError: no database is configured.
    """
    async with AsyncExitStack() as stack:
        runtime.database.require()
        stack.push_async_callback(runtime.database.dispose)
        for module in runtime.modules:
            if module.lifespan is not None:
                await stack.enter_async_context(module.lifespan(runtime))
        await stack.enter_async_context(runtime.queue.running(background=background))
        if background:
            await stack.enter_async_context(sweeping(runtime))
        yield runtime


def get_runtime(request: Request) -> Runtime:
    """The runtime of the application that serves the request."""
    return cast("Runtime", request.app.state.runtime)
