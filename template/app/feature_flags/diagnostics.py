"""The check of `app doctor`: routes that require a flag which does not exist."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlmodel import col

from app.core.http.route_dependencies import routes_with_dependencies
from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime
from app.feature_flags.dependencies import RequireFlag
from app.feature_flags.models import FeatureFlag


async def find_unknown_flags(runtime: Runtime) -> Sequence[str]:
    """Return a warning for each route that rejects every user, because its flag does not exist."""
    required = _required_flags(modules_of(runtime))
    rows = await runtime.database.fetch(select(col(FeatureFlag.key)), {})
    existing = {row[0] for row in rows}
    return [
        f"{path} requires the flag {key}, which does not exist. Create the flag, or correct the route."
        for path, key in required
        if key not in existing
    ]


def _required_flags(modules: Sequence[Module]) -> list[tuple[str, str]]:
    areas = [area for module in modules for area in (module.router, module.admin_router, module.public_router) if area]
    found = [
        (context.path or "", call.key)
        for area in areas
        for context, calls in routes_with_dependencies(area.routes)
        for call in calls
        if isinstance(call, RequireFlag)
    ]
    return list(dict.fromkeys(found))
