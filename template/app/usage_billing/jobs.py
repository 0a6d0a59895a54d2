"""Jobs of usage-based billing."""

from datetime import timedelta

from app.core.jobs.options import job_options
from app.core.runtime import Runtime
from app.stripe.api import StripeApi
from app.usage_billing.reconciliation import reconcile


@job_options(timeout=timedelta(hours=1))
async def reconcile_usage(runtime: Runtime) -> dict[str, int]:
    """Compare the ledger with Stripe's sums. Each difference is an error in the log.

    Returns:
        How many sums were compared, and how many differ.
    """
    if not runtime.resource(StripeApi).is_configured:
        return {"compared": 0, "different": 0}
    compared, drifts = await reconcile(runtime)
    return {"compared": compared, "different": len(drifts)}
