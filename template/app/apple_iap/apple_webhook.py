"""App Store Server Notifications V2 (https://developer.apple.com/documentation/appstoreservernotifications).

A notification only says which subscription may have changed. Its state is read from the App Store Server API.
"""

from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends

from app.apple_iap.app_store import AppStore
from app.apple_iap.dependencies import AppStoreDep
from app.apple_iap.routes import SUBSCRIPTION
from app.apple_iap.schemas import NotificationBody
from app.apple_iap.settings import AppleSettings
from app.core.http.dependencies import RuntimeDep
from app.core.inbox.service import UnusableEventError, receive
from app.core.manifest import Payload
from app.core.runtime import Runtime
from app.payments.convergence import converge
from app.payments.webhooks import RATE

if TYPE_CHECKING:
    from appstoreserverlibrary.models.ResponseBodyV2DecodedPayload import ResponseBodyV2DecodedPayload

PROVIDER = "apple"

router = APIRouter(dependencies=[Depends(RATE)])


@router.post("/webhooks/apple", status_code=202)
async def receive_apple_notification(
    app_store: AppStoreDep, runtime: RuntimeDep, data: NotificationBody
) -> dict[str, bool]:
    """Receive an App Store Server Notification, version 2.

    A notification that was received before is acknowledged and ignored.
    """
    await store_notification(runtime, app_store, data.signedPayload)
    return {"received": True}


async def store_notification(runtime: Runtime, app_store: AppStore, signed: str) -> bool:
    """Verify a notification and store what is needed of it. Return whether it is new.

    Raises:
        AppError: it cannot be verified, see `AppStoreVerifier.notification`.
    """
    notification = await app_store.verifier.notification(signed)
    payload = await _reduced(app_store, notification)
    return await receive(
        runtime,
        provider=PROVIDER,
        event_id=notification.notificationUUID or "",
        payload=payload,
        handler=apply_apple_notification,
    )


async def _reduced(app_store: AppStore, notification: "ResponseBodyV2DecodedPayload") -> Payload:
    """Return the type, also of an unknown notification, and which subscription it is about."""
    payload: Payload = {"type": notification.rawNotificationType, "subtype": notification.rawSubtype}
    data = notification.data
    if data is not None and data.signedTransactionInfo:
        transaction = await app_store.verifier.transaction(data.signedTransactionInfo)
        payload["product_type"] = transaction.rawType
        payload["original_transaction_id"] = transaction.originalTransactionId
    return payload


async def apply_apple_notification(runtime: Runtime, payload: Payload) -> None:
    """Read the state of the notification's subscription. Ignore notifications about anything else.

    Raises:
        UnusableEventError: the App Store is no longer configured.
        ProviderUnavailableError: the App Store doesn't answer.
    """
    id_ = payload.get("original_transaction_id")
    if payload.get("product_type") != SUBSCRIPTION or not isinstance(id_, str):
        return
    if not runtime.resource(AppleSettings).is_configured:
        raise UnusableEventError("The settings of the App Store are missing.")
    await converge(runtime, runtime.resource(AppStore).provider, id_)
