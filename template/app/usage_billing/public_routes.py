"""The webhook for reports about rejected usage."""

from fastapi import APIRouter, Depends, Request

from app.core.http.dependencies import RuntimeDep
from app.payments.webhooks import RATE
from app.usage_billing.webhook import receive_report

router = APIRouter(dependencies=[Depends(RATE)])


@router.post("/webhooks/stripe-meters", status_code=202)
async def receive_meter_event(request: Request, runtime: RuntimeDep) -> dict[str, bool]:
    """Receive a report of Stripe about usage that it rejected.

    A report that was received before is acknowledged and ignored.
    """
    await receive_report(runtime, await request.body(), request.headers.get("stripe-signature", ""))
    return {"received": True}
