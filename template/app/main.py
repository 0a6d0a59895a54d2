"""The application: a fold over the modules."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from app.core.error_handlers import ERROR_RESPONSES, add_error_handlers
from app.core.health import Readiness
from app.core.health import router as health_router
from app.core.logging import configure_logging
from app.core.middleware import add_middleware
from app.core.module import Guards, Module
from app.core.rate_limit import limit_address
from app.core.routes import RouteTable, index_paths
from app.core.runtime import Runtime, create_runtime, running
from app.modules import MODULES


def create_app(modules: Sequence[Module] = MODULES, *, runtime: Runtime | None = None) -> FastAPI:
    """Builds the application.

    Args:
        modules: what it consists of, besides the core.
        runtime: instead of one made from the environment.

    Raises:
        ConfigurationError: naming every unusable setting at once.
    """
    runtime = runtime or create_runtime(modules)
    runtime.provide(Readiness, Readiness(runtime))
    settings = runtime.settings
    configure_logging(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with running(runtime):
            yield

    # Strangers need no map of a production system; its owners get the schema from `app openapi`.
    mapped = not settings.is_production
    app = FastAPI(
        title=settings.PROJECT_NAME,
        lifespan=lifespan,
        docs_url="/docs" if mapped else None,
        redoc_url="/redoc" if mapped else None,
        openapi_url=f"{settings.API_V1_STR}/openapi.json" if mapped else None,
        responses=ERROR_RESPONSES,
        # Every route has one spelling.
        redirect_slashes=False,
    )
    app.state.runtime = runtime
    include_routes(app, modules, settings.API_V1_STR)
    app.state.routes = RouteTable(app)
    index_paths(app)
    health = f"{settings.API_V1_STR}/public/health"
    add_middleware(app, settings, docs=("/docs", "/redoc"), unlogged=(health, f"{health}/ready"))
    add_error_handlers(app)
    return app


def include_routes(app: FastAPI, modules: Sequence[Module], prefix: str) -> None:
    """Adds the routes of all modules, each area behind its guard."""
    guards = _guards(modules)
    # Straight into the application: each router between costs every request another search.
    app.include_router(health_router, prefix=f"{prefix}/public")
    for module in modules:
        if module.public_router is not None:
            limit = [Depends(limit_address)]
            app.include_router(module.public_router, prefix=f"{prefix}/public", tags=[module.name], dependencies=limit)
        if module.router is not None and guards is not None:
            app.include_router(module.router, prefix=f"{prefix}/app", tags=[module.name], dependencies=[guards.app])
        if module.admin_router is not None and guards is not None:
            admin = f"{prefix}/admin"
            app.include_router(module.admin_router, prefix=admin, tags=[module.name], dependencies=[guards.admin])


def _guards(modules: Sequence[Module]) -> Guards | None:
    """The one pair of guards; without it there must be nothing to guard."""
    guards = [module.guards for module in modules if module.guards is not None]
    guarded = [module.name for module in modules if module.router is not None or module.admin_router is not None]
    if len(guards) > 1 or (guarded and not guards):
        raise ValueError(f"One module has to give the guards of the app and admin areas; {len(guards)} do.")
    return guards[0] if guards else None
