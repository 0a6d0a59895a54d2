"""Jobs of payments."""

from datetime import timedelta

from app.core.jobs.options import job_options
from app.core.runtime import Runtime
from app.payments.reconciliation import reconcile


@job_options(attempts=1, timeout=timedelta(hours=2))
async def reconcile_subscriptions(runtime: Runtime) -> dict[str, dict[str, int]]:
    """Compare all stored subscriptions with the payment providers, and repair differences.

    Returns:
        For each provider: the number of subscriptions that were checked, that were repaired, and that could not be
        compared.
    """
    return {
        outcome.provider: {"checked": outcome.checked, "repaired": outcome.repaired, "failed": outcome.failed}
        for outcome in await reconcile(runtime)
    }
