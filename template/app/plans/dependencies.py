"""Dependencies of routes and WebSockets that need a plan or use quota: `dependencies=[Depends(RequirePlan("pro"))]`.

Each describes its error response in the OpenAPI document.
"""

from collections.abc import AsyncIterator
from typing import Final, override

from app.core.errors import QuotaExceededError
from app.core.http.dependencies import RuntimeDep
from app.core.http.route_dependencies import DocumentedDependency, Operation, document_error
from app.core.runtime import Runtime
from app.plans.blocks import Blocks
from app.plans.catalog import Plan, PlanCatalog
from app.plans.errors import FeatureRequiredError, PlanRequiredError
from app.users.caller import Caller
from app.users.dependencies import CurrentUser

API_CALLS: Final = "api_calls"


class RequirePlan(DocumentedDependency):
    """Admit users of this plan or a higher one."""

    def __init__(self, plan: str) -> None:
        self.plan = plan

    def check(self, catalog: PlanCatalog) -> None:
        """Check that the plan exists.

        Raises:
            LookupError: no plan has this name.
        """
        catalog.get(self.plan)

    @override
    def document(self, operation: Operation) -> None:
        """Add the error to an operation."""
        document_error(operation, PlanRequiredError, f"The user's plan is lower than `{self.plan}`.")

    async def __call__(self, user: CurrentUser, runtime: RuntimeDep) -> None:
        """Admit the user.

        Raises:
            PlanRequiredError: the user's plan has a lower rank.
        """
        plan = await _plan_of(runtime, user)
        if plan.rank < runtime.resource(PlanCatalog).get(self.plan).rank:
            raise PlanRequiredError(plan=plan.name, required=self.plan)


class RequireFeature(DocumentedDependency):
    """Admit users whose plan includes this feature."""

    def __init__(self, feature: str) -> None:
        self.feature = feature

    def check(self, catalog: PlanCatalog) -> None:
        """Check that a plan has the feature.

        Raises:
            LookupError: none has.
        """
        if not any(self.feature in plan.features for plan in catalog.plans):
            raise LookupError(f'No plan has the feature "{self.feature}".')

    @override
    def document(self, operation: Operation) -> None:
        """Add the error to an operation."""
        document_error(operation, FeatureRequiredError, f"The user's plan doesn't include `{self.feature}`.")

    async def __call__(self, user: CurrentUser, runtime: RuntimeDep) -> None:
        """Admit the user.

        Raises:
            FeatureRequiredError: the user's plan doesn't include the feature.
        """
        plan = await _plan_of(runtime, user)
        if self.feature not in plan.features:
            raise FeatureRequiredError(plan=plan.name, feature=self.feature)


class Consumes(DocumentedDependency):
    """Use quota for each call, before the route runs. A call that fails gives it back.

    Quota that is counted in blocks (`batch = true` in plans.toml) is not given back.
    """

    def __init__(self, resource: str, amount: int = 1) -> None:
        self.resource = resource
        self.amount = amount

    def check(self, catalog: PlanCatalog) -> None:
        """Check that the resource is declared.

        Raises:
            LookupError: it isn't.
            ValueError: it is counted in blocks, one by one, and the amount is not 1.
        """
        if self._in_blocks(catalog) and self.amount != 1:
            raise ValueError(f'"{self.resource}" is counted in blocks, one unit a call.')

    @override
    def document(self, operation: Operation) -> None:
        """Add the error to an operation."""
        document_error(operation, QuotaExceededError, f"The plan allows no more `{self.resource}`.")

    async def __call__(self, user: CurrentUser, runtime: RuntimeDep) -> AsyncIterator[None]:
        """Use the quota.

        Raises:
            QuotaExceededError: less than the amount is left.
        """
        if self._in_blocks(runtime.resource(PlanCatalog)):
            await runtime.resource(Blocks).spend(user.id, self.resource)
            yield
            return
        async with runtime.metered(user.id, self.resource, self.amount):
            yield

    def _in_blocks(self, catalog: PlanCatalog) -> bool:
        limit = catalog.limit(self.resource)
        return limit is not None and limit.batch


async def _plan_of(runtime: Runtime, user: Caller) -> Plan:
    catalog = runtime.resource(PlanCatalog)
    async with runtime.database.reading() as session:
        name = await runtime.plans.plan_of(session, user.id)
    return catalog.find(name) or catalog.default
