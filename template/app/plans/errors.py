"""Errors of plans."""

from app.core.errors import AppError


class PlanRequiredError(AppError):
    """The route needs a higher plan."""

    status = 402
    code = "PLAN_REQUIRED"

    def __init__(self, *, plan: str, required: str) -> None:
        super().__init__(
            f"This needs the plan {required} or a higher one. Upgrade to use it.",
            details={"plan": plan, "required": required, "limit": None, "used": None, "resets_at": None},
        )


class FeatureRequiredError(AppError):
    """The route needs a plan with this feature."""

    status = 402
    code = "FEATURE_REQUIRED"

    def __init__(self, *, plan: str, feature: str) -> None:
        super().__init__(
            "Your plan doesn't include this. Upgrade to use it.",
            details={"plan": plan, "feature": feature, "limit": None, "used": None, "resets_at": None},
        )
