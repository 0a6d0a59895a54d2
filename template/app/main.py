"""The application: a fold over the modules."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from app.core.error_handlers import add_error_handlers
from app.core.health import router as health_router
from app.core.middleware import add_middleware
from app.core.module import Guards, Module
from app.core.routes import RouteTable
from app.core.runtime import Runtime, create_runtime, running
from app.modules import MODULES


def create_app(modules: Sequence[Module] = MODULES, *, runtime: Runtime | None = None) -> FastAPI:
    """Builds the application of these modules.

    Args:
        runtime: instead of one made from the environment.

    Raises:
        ConfigurationError: naming every unusable setting at once.
    """
    runtime = runtime or create_runtime(modules)
    settings = runtime.settings

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        async with running(runtime):
            yield

    app = FastAPI(title=settings.PROJECT_NAME, lifespan=lifespan, openapi_url=f"{settings.API_V1_STR}/openapi.json")
    app.state.runtime = runtime
    add_middleware(app, settings)
    add_error_handlers(app)
    app.include_router(api_router(modules), prefix=settings.API_V1_STR)
    app.state.routes = RouteTable(app)
    return app


def api_router(modules: Sequence[Module]) -> APIRouter:
    """The routes of all modules, each area behind its guard."""
    guards = _guards(modules)
    public, private, admin = APIRouter(prefix="/public"), APIRouter(prefix="/app"), APIRouter(prefix="/admin")
    public.include_router(health_router)
    for module in modules:
        if module.public_router is not None:
            public.include_router(module.public_router, tags=[module.name])
        if module.router is not None:
            private.include_router(module.router, tags=[module.name])
        if module.admin_router is not None:
            admin.include_router(module.admin_router, tags=[module.name])
    router = APIRouter()
    router.include_router(public)
    if guards is not None:
        router.include_router(private, dependencies=[guards.app])
        router.include_router(admin, dependencies=[guards.admin])
    return router


def _guards(modules: Sequence[Module]) -> Guards | None:
    """The one pair of guards; without it there must be nothing to guard."""
    guards = [module.guards for module in modules if module.guards is not None]
    guarded = [module.name for module in modules if module.router is not None or module.admin_router is not None]
    if len(guards) > 1 or (guarded and not guards):
        raise ValueError(f"One module has to give the guards of the app and admin areas; {len(guards)} do.")
    return guards[0] if guards else None
