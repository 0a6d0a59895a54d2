"""The application: a fold over the modules."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum

from fastapi import FastAPI

from app.core.config.settings import Settings
from app.core.http.dispatcher import dispatch_by_table
from app.core.http.docs import DOCS, add_docs_routes, add_root_route
from app.core.http.error_handlers import ERROR_RESPONSES, add_error_handlers
from app.core.http.health import Readiness, add_health_routes
from app.core.http.middleware import add_middleware
from app.core.http.openapi import Application, operation_id
from app.core.http.route_table import RouteTable
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Guards, Module
from app.core.observability.logging import configure_logging
from app.core.runtime import Runtime
from app.modules import MODULES


def create_app(modules: Sequence[Module] = MODULES, *, runtime: Runtime | None = None) -> FastAPI:
    """Create the application.

    Args:
        modules: its modules, the core first.
        runtime: instead of one created from the environment.

    Raises:
        ConfigurationError: names every unusable setting at once.
    """
    runtime = runtime or create_runtime(modules)
    settings = runtime.settings
    public = f"{settings.API_V1_STR}/public"
    app = _empty_app(settings)
    health = add_health_routes(app, public, release=settings.RELEASE)
    add_root_route(app, health[0])
    if app.openapi_url:
        add_docs_routes(app)
    include_routes(app, modules, settings.API_V1_STR)
    guards = _guards(modules)
    dispatch_by_table(
        app,
        limited=lambda route: route.template.startswith(f"{public}/") and route.template not in health,
        guards=(guards.app, guards.admin) if guards else (),
    )
    add_middleware(app, settings, docs=(DOCS,), sampled=health)
    add_error_handlers(app)
    run_on(app, runtime)
    return app


def run_on(app: FastAPI, runtime: Runtime) -> None:
    """Set the runtime that the routes use. It must have the settings that the application was created with."""
    runtime.provide(Readiness, Readiness(runtime))
    runtime.provide(RouteTable, app.state.routes)
    configure_logging(runtime.settings)
    app.state.runtime = runtime


def _empty_app(settings: Settings) -> Application:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with running(app.state.runtime):
            yield

    # The document of a production system is not public; `app openapi` prints it.
    documented = not settings.is_production
    return Application(
        title=settings.PROJECT_NAME,
        lifespan=lifespan,
        openapi_url=f"{settings.API_V1_STR}/openapi.json" if documented else None,
        # `core.http.docs` serves the documentation.
        docs_url=None,
        redoc_url=None,
        servers=[{"url": "/"}],
        license_info={"name": "Proprietary"},
        generate_unique_id_function=operation_id,
        responses=ERROR_RESPONSES,
        # Every route has one spelling.
        redirect_slashes=False,
        # Off: it exports query strings, and looking for its listeners costs every request a tenth of its time. Modules
        # listen with `runtime.listen`.
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )


def include_routes(app: FastAPI, modules: Sequence[Module], prefix: str) -> None:
    """Add the routes of all modules, each area behind its guard."""
    guards = _guards(modules)
    metering = [dependency for module in modules for dependency in module.app_dependencies]
    # Directly into the application: each router in between costs every request another search.
    for module in modules:
        tags: list[str | Enum] = [module.name]
        if module.page_router is not None:
            app.include_router(module.page_router, include_in_schema=False)
        if module.public_router is not None:
            app.include_router(module.public_router, prefix=f"{prefix}/public", tags=tags)
        if module.router is not None and guards is not None:
            dependencies = [guards.app, *([] if module.unmetered else metering)]
            app.include_router(module.router, prefix=f"{prefix}/app", tags=tags, dependencies=dependencies)
        if module.admin_router is not None and guards is not None:
            app.include_router(module.admin_router, prefix=f"{prefix}/admin", tags=tags, dependencies=[guards.admin])


def _guards(modules: Sequence[Module]) -> Guards | None:
    """Return the only pair of guards; `None` where no module needs one."""
    guards = [module.guards for module in modules if module.guards is not None]
    guarded = [module.name for module in modules if module.router is not None or module.admin_router is not None]
    if len(guards) > 1 or (guarded and not guards):
        raise ValueError(f"Exactly one module must provide the guards of the app and admin areas; {len(guards)} do.")
    return guards[0] if guards else None
