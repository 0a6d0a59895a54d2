"""Plans: what users may use, and how much of it."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog
from fastapi import Depends
from sqlalchemy.exc import SQLAlchemyError

from app.core.errors import ServiceUnavailableError
from app.core.http.route_dependencies import routes_with_dependencies
from app.core.manifest import Module, PlanLevels, modules_of
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.plans.blocks import Blocks
from app.plans.catalog import PlanCatalog
from app.plans.data_policy import PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.plans.dependencies import Consumes, RequireFeature, RequirePlan
from app.plans.figures import FIGURES
from app.plans.models import PlanUsage
from app.plans.routes import router

logger = structlog.stdlib.get_logger(__name__)

type Requirement = RequirePlan | RequireFeature | Consumes

_COUNT_CALL: Final = Depends(Consumes("api_calls"))


def _set_up(runtime: Runtime) -> None:
    """Read the plans, and check that the routes match them."""
    modules = modules_of(runtime)
    measures = {name: level.measure for name, level in runtime.resource(PlanLevels).by_resource.items()}
    catalog = PlanCatalog.load(measures=measures)
    check_routes(modules, catalog)
    runtime.provide(PlanCatalog, catalog)
    runtime.provide(Blocks, Blocks(runtime))


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    # Not in `_set_up`, which runs before logging is configured: the line would be on the standard output of commands.
    if levels := runtime.resource(PlanCatalog).unlimited_levels:
        logger.warning("plans_without_limit", levels=levels, hint="Declare them in plans.toml.")
    try:
        yield
    finally:
        await _give_back(runtime.resource(Blocks))


async def _give_back(blocks: Blocks) -> None:
    try:
        await blocks.give_back()
    except (ServiceUnavailableError, SQLAlchemyError, OSError) as error:
        # The rest of the blocks stays counted, as if the process had been killed.
        logger.warning("quota_not_given_back", error=type(error).__name__)


def check_routes(modules: Sequence[Module], catalog: PlanCatalog) -> None:
    """Check that routes name only plans, features and limits that exist.

    Raises:
        UserError: a route doesn't match plans.toml. The message lists all such routes.
    """
    problems = []
    for path, requirement in _requirements(modules):
        try:
            requirement.check(catalog)
        except (LookupError, ValueError) as error:
            problems.append(f"  {path}: {error}")
    if problems:
        lines = "\n".join(dict.fromkeys(problems))
        raise UserError(f"Routes don't match app/plans/plans.toml:\n{lines}\nCorrect them or the file.")


def _requirements(modules: Sequence[Module]) -> Iterator[tuple[str, Requirement]]:
    areas = [area for module in modules for area in (module.router, module.admin_router, module.public_router) if area]
    for context, calls in (found for area in areas for found in routes_with_dependencies(area.routes)):
        for call in calls:
            if isinstance(call, RequirePlan | RequireFeature | Consumes):
                yield context.path or "", call


module = Module(
    name="plans",
    models=(PlanUsage,),
    router=router,
    app_dependencies=(_COUNT_CALL,),
    unmetered=True,
    setup=_set_up,
    lifespan=_lifespan,
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
)
