"""The bodies of the fake's responses."""

from datetime import datetime

from app.dev.servers.google_play.objects import State, Subscription, Voided
from app.dev.servers.google_play.subscriptions import Subscriptions


def purchase_body(state: Subscriptions, item: Subscription) -> dict[str, object]:
    """Describe a subscription (SubscriptionPurchaseV2)."""
    body: dict[str, object] = {
        "kind": "androidpublisher#subscriptionPurchaseV2",
        "regionCode": "US",
        "subscriptionState": f"SUBSCRIPTION_STATE_{item.state}",
        "acknowledgementState": f"ACKNOWLEDGEMENT_STATE_{'ACKNOWLEDGED' if item.acknowledged else 'PENDING'}",
        "lineItems": [_line_item(item)],
    }
    if item.started is not None:
        body["startTime"] = iso(item.started)
    if item.order is not None:
        body["latestOrderId"] = item.order
    if item.linked is not None:
        body["linkedPurchaseToken"] = item.linked
    if item.account is not None:
        body["externalAccountIdentifiers"] = {"obfuscatedExternalAccountId": item.account}
    if item.test:
        body["testPurchase"] = {}
    if item.expired_token is not None and not item.acknowledged:
        body["outOfAppPurchaseContext"] = _context(state, item.expired_token)
    if item.replaced:
        body["canceledStateContext"] = {"replacementCancellation": {}}
    elif item.state is State.CANCELED:
        body["canceledStateContext"] = {"userInitiatedCancellation": {"cancelTime": iso(state.now)}}
    return body


def _context(state: Subscriptions, expired_token: str) -> dict[str, object]:
    old = state.items.get(expired_token)
    accounts = {} if old is None or old.account is None else {"obfuscatedExternalAccountId": old.account}
    return {"expiredPurchaseToken": expired_token, "expiredExternalAccountIdentifiers": accounts}


def _line_item(item: Subscription) -> dict[str, object]:
    line: dict[str, object] = {"productId": item.product, "offerDetails": {"basePlanId": item.base_plan}}
    if item.expires is not None:
        line["expiryTime"] = iso(item.expires)
    if item.order is not None:
        line["latestSuccessfulOrderId"] = item.order
    if item.prepaid:
        line["prepaidPlan"] = {}
    else:
        line["autoRenewingPlan"] = {"autoRenewEnabled": item.state not in {State.CANCELED, State.EXPIRED}}
    line["offerPhase"] = {"freeTrial": {}} if item.trial else {"basePrice": {}}
    return line


def voided_body(voided: Voided) -> dict[str, object]:
    """Describe a voided order (VoidedPurchase)."""
    return {
        "kind": "androidpublisher#voidedPurchase",
        "purchaseToken": voided.token,
        "orderId": voided.order,
        "voidedTimeMillis": f"{voided.at.timestamp() * 1000:.0f}",
        "voidedSource": 0,
        "voidedReason": 1,
    }


def iso(moment: datetime) -> str:
    """Return a time as Google writes it, in milliseconds."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z"
