"""Feature flags: parts of the product that are on for some users."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.admin_view import AdminAction, AdminView
from app.core.manifest import Diagnostic, Module
from app.core.runtime import Runtime
from app.feature_flags.admin_routes import router as admin_router
from app.feature_flags.data_policy import FIGURES, PERSONAL_DATA, REPORT_METRICS
from app.feature_flags.diagnostics import find_unknown_flags
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.models import FeatureFlag, FeatureFlagRevision, FeatureFlagUser
from app.feature_flags.routes import router
from app.feature_flags.store import FlagStore


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    flags = FeatureFlags(runtime, FlagStore(runtime))
    runtime.provide(FeatureFlags, flags)
    try:
        with runtime.override(flags=flags):
            yield
    finally:
        await flags.close()


@asynccontextmanager
async def _background(runtime: Runtime) -> AsyncIterator[None]:
    async with runtime.resource(FeatureFlags).store.watching():
        yield


module = Module(
    name="feature_flags",
    models=(FeatureFlag, FeatureFlagUser, FeatureFlagRevision),
    router=router,
    admin_router=admin_router,
    lifespan=_lifespan,
    background=_background,
    diagnostics=(Diagnostic(name="feature_flags", check=find_unknown_flags),),
    personal_data=PERSONAL_DATA,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    admin_views=(
        AdminView(
            title="Feature flags",
            path="/feature-flags",
            columns=("key", "enabled", "description", "user_count", "updated_at"),
            actions=(
                AdminAction(path="/enable", only_if={"enabled": (False,)}),
                AdminAction(path="/disable", only_if={"enabled": (True,)}),
                AdminAction(method="DELETE", danger=True),
            ),
        ),
    ),
)
