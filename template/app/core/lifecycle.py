"""Start and stop of a process: create the runtime from the modules, and open and close their lifespans."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import cast

from app.core.config.settings import LoadedSettings, ModuleSettings, Settings, load_settings
from app.core.db.database import Database, create_database
from app.core.jobs.event_bus import EventBus
from app.core.jobs.in_process import InProcessQueue
from app.core.jobs.names import by_job_name
from app.core.manifest import DeclaredChannels, Job, Module, ModuleList, PlanLevels, modules_of
from app.core.ports.queue import JobFunction
from app.core.runtime import Runtime


def jobs_of(modules: Sequence[Module]) -> tuple[Job, ...]:
    """Return every job that may be enqueued."""
    return tuple(job for module in modules for job in module.jobs)


def settings_classes(modules: Sequence[Module]) -> tuple[type[ModuleSettings], ...]:
    """Return every settings class, in the order of the modules."""
    return tuple(cls for module in modules for cls in module.settings)


def create_runtime(
    modules: Sequence[Module], *, database: Database | None = None, loaded: LoadedSettings | None = None
) -> Runtime:
    """Validate all settings and put the runtime together. Connects to nothing.

    Args:
        modules: the application's modules; the core (`app.core.module`) is the first.
        database: a database to use instead of DATABASE_URL.
        loaded: the settings of all modules, if they were loaded before.

    Raises:
        ConfigurationError: names every invalid setting at once.
        ValueError: the core is missing, or two inbox handlers, levels or channels have the same name.
        UserError: a module's `setup` refuses the application.
    """
    loaded = load_settings(settings_classes(modules)) if loaded is None else loaded
    if Settings not in loaded:
        raise ValueError("The core is missing: app.core.module.module must be the first of the modules.")
    settings = cast("Settings", loaded[Settings])
    runtime = Runtime(settings=settings, database=database or create_database(settings))
    for cls, value in loaded.items():
        runtime.provide(cls, value)
    runtime.provide(ModuleList, ModuleList(tuple(modules)))
    runtime.provide(PlanLevels, PlanLevels.of(modules))
    runtime.provide(DeclaredChannels, DeclaredChannels.of(modules))
    runtime.queue = InProcessQueue(runtime, jobs_of(modules))
    runtime.events = EventBus(runtime, [subscriber for module in modules for subscriber in module.subscribers])
    handlers: list[JobFunction] = []
    for module in modules:
        handlers += [*module.inbox_handlers, *module.inbox_jobs]
    by_job_name(handlers)
    for module in modules:
        if module.setup is not None:
            module.setup(runtime)
    return runtime


@asynccontextmanager
async def running(runtime: Runtime, *, background: bool = True) -> AsyncIterator[Runtime]:
    """Open every module's lifespan in order; on exit, finish the queued jobs and close the lifespans in reverse.

    Args:
        runtime: from `create_runtime`.
        background: whether this process also does background work: runs jobs and retries inbox events. Tests and
            commands don't.

    Raises:
        ConfigurationError: no database is configured.
    """
    modules = modules_of(runtime)
    async with AsyncExitStack() as stack:
        runtime.database.require()
        stack.push_async_callback(runtime.database.dispose)
        for module in modules:
            if module.lifespan is not None:
                await stack.enter_async_context(module.lifespan(runtime))
        await stack.enter_async_context(runtime.queue.running(background=background))
        for module in modules:
            if background and module.background is not None:
                await stack.enter_async_context(module.background(runtime))
        yield runtime
