"""Real-time developer notifications (https://developer.android.com/google/play/billing/rtdn-reference).

A notification only says which subscription may have changed. Its state is read from the Google Play Developer API.
"""

import base64
from typing import Final

from fastapi import APIRouter, Depends

from app.core.http.dependencies import RuntimeDep
from app.core.inbox.service import UnusableEventError, receive
from app.core.manifest import Payload
from app.core.runtime import Runtime
from app.google_iap.convergence import converge_purchase
from app.google_iap.dependencies import verify_push
from app.google_iap.errors import MalformedNotificationError, WrongAppError
from app.google_iap.purchases import remember_token, void_order
from app.google_iap.settings import GooglePlaySettings
from app.google_iap.snapshot import PROVIDER
from app.google_iap.wire import DeveloperNotification, PubSubMessage, PushBody
from app.payments.webhooks import RATE

SUBSCRIPTION: Final = 1

router = APIRouter(dependencies=[Depends(RATE)])


@router.post("/webhooks/google", status_code=202, dependencies=[Depends(verify_push)])
async def receive_google_notification(runtime: RuntimeDep, data: PushBody) -> dict[str, bool]:
    """Receive a real-time developer notification of Google Play, which Pub/Sub pushes.

    A message that was received before is acknowledged and ignored.
    """
    notification = _decoded(data.message)
    if notification.package_name != runtime.resource(GooglePlaySettings).GOOGLE_PLAY_PACKAGE_NAME:
        raise WrongAppError
    payload = await _reduced(runtime, notification)
    await receive(
        runtime,
        provider=PROVIDER,
        event_id=data.message.message_id,
        payload=payload,
        handler=apply_google_notification,
    )
    return {"received": True}


def _decoded(message: PubSubMessage) -> DeveloperNotification:
    try:
        return DeveloperNotification.model_validate_json(base64.b64decode(message.data, validate=True))
    except ValueError:
        raise MalformedNotificationError from None


async def _reduced(runtime: Runtime, notification: DeveloperNotification) -> Payload:
    """Return the type, also of an unknown notification, and which purchase it is about. Store its token."""
    change, voided = notification.subscription_notification, notification.voided_purchase_notification
    if change is not None:
        token_id = await remember_token(runtime, change.purchase_token)
        return {"type": "subscription", "notification_type": change.notification_type, "token_id": token_id}
    if voided is not None:
        payload: Payload = {"type": "voided_purchase", "product_type": voided.product_type, "order_id": voided.order_id}
        if voided.product_type == SUBSCRIPTION:
            payload["token_id"] = await remember_token(runtime, voided.purchase_token)
        return payload
    if notification.one_time_product_notification is not None:
        return {"type": "one_time_product"}
    return {"type": "unknown" if notification.test_notification is None else "test"}


async def apply_google_notification(runtime: Runtime, payload: Payload) -> None:
    """Read the state of the notification's subscription. Ignore notifications about anything else.

    Raises:
        UnusableEventError: Google Play is no longer configured.
        ProviderUnavailableError: Google Play does not answer.
    """
    token_id, order_id = payload.get("token_id"), payload.get("order_id")
    if not isinstance(token_id, str):
        return
    if not runtime.resource(GooglePlaySettings).is_configured:
        raise UnusableEventError("The settings of Google Play are missing.")
    if isinstance(order_id, str):
        await void_order(runtime, token_id, order_id)
    await converge_purchase(runtime, token_id)
