"""Routes for the plans and the current user's usage."""

from fastapi import APIRouter

from app.core.http.dependencies import RuntimeDep, SessionDep
from app.plans.catalog import PlanCatalog
from app.plans.schemas import PlanList, PlanRead, ResourceUsageRead, UsageList
from app.users.dependencies import CurrentUser

router = APIRouter()


@router.get("/plans")
async def list_plans(user: CurrentUser, session: SessionDep, runtime: RuntimeDep) -> PlanList:
    """List all plans and the current user's own."""
    plans = runtime.resource(PlanCatalog).plans
    current = await runtime.plans.plan_of(session, user.id)
    return PlanList(current=current, items=[PlanRead.model_validate(plan) for plan in plans])


@router.get("/usage")
async def list_usage(user: CurrentUser, session: SessionDep, runtime: RuntimeDep) -> UsageList:
    """List the current user's usage of each resource that plans limit."""
    plan = await runtime.plans.plan_of(session, user.id)
    usage = await runtime.plans.usage(session, user.id)
    return UsageList(plan=plan, items=[ResourceUsageRead.of(item) for item in usage])
