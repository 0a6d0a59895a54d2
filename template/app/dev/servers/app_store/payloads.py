"""The payloads that a fake App Store signs: transactions, renewal information and notifications."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from app.dev.servers.app_store.certificates import Chain
from app.dev.servers.app_store.subscriptions import FREE_TRIAL, Notification, Status, Subscription

GROUP: Final = "21000000"
INTRODUCTORY, OFFER_CODE = 1, 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Signer:
    """A signer of the payloads of one app.

    Attributes:
        bundle_id: the app's.
        app_id: the app's id in the App Store. The sandbox leaves it out.
    """

    chain: Chain
    bundle_id: str
    app_id: int

    def transaction(self, item: Subscription, at: datetime) -> str:
        """Sign a subscription's last transaction (JWSTransactionDecodedPayload)."""
        payload: dict[str, object] = {
            "transactionId": item.transaction_id,
            "originalTransactionId": item.original_id,
            "webOrderLineItemId": f"9{item.transaction_id}",
            "bundleId": self.bundle_id,
            "productId": item.product,
            "subscriptionGroupIdentifier": GROUP,
            "purchaseDate": milliseconds(item.purchased),
            "originalPurchaseDate": milliseconds(item.first_purchase),
            "expiresDate": milliseconds(item.expires),
            "quantity": 1,
            "type": "Auto-Renewable Subscription",
            "inAppOwnershipType": "FAMILY_SHARED" if item.family_shared else "PURCHASED",
            "signedDate": milliseconds(at),
            "environment": environment(sandbox=item.sandbox),
            "transactionReason": "PURCHASE" if item.transaction_id == item.original_id else "RENEWAL",
            "storefront": "USA",
            "storefrontId": "143441",
            "price": item.price,
            "currency": "USD",
        }
        # Family members' transactions don't name the account of the purchaser.
        if item.account is not None and not item.family_shared:
            payload["appAccountToken"] = item.account
        if item.trial:
            payload |= {"offerType": INTRODUCTORY, "offerDiscountType": FREE_TRIAL}
        elif item.offer is not None:
            payload |= {"offerType": OFFER_CODE, "offerIdentifier": item.offer, "offerDiscountType": "PAY_AS_YOU_GO"}
        if item.revoked_at is not None:
            kind = "FAMILY_REVOKE" if item.family_shared else "REFUND_FULL"
            payload |= {"revocationDate": milliseconds(item.revoked_at), "revocationReason": 0, "revocationType": kind}
        return self.chain.sign(payload)

    def renewal_info(self, item: Subscription, at: datetime) -> str:
        """Sign a subscription's renewal information (JWSRenewalInfoDecodedPayload)."""
        payload: dict[str, object] = {
            "originalTransactionId": item.original_id,
            "autoRenewProductId": item.next_product,
            "productId": item.product,
            "autoRenewStatus": int(item.auto_renew),
            "renewalPrice": item.price,
            "currency": "USD",
            "signedDate": milliseconds(at),
            "environment": environment(sandbox=item.sandbox),
            "recentSubscriptionStartDate": milliseconds(item.first_purchase),
            "renewalDate": milliseconds(item.expires),
        }
        if item.account is not None and not item.family_shared:
            payload["appAccountToken"] = item.account
        if item.status in {Status.GRACE_PERIOD, Status.BILLING_RETRY}:
            payload |= {"isInBillingRetryPeriod": True, "expirationIntent": 2}
        if item.grace_end is not None:
            payload["gracePeriodExpiresDate"] = milliseconds(item.grace_end)
        if item.expiration_intent is not None:
            payload["expirationIntent"] = item.expiration_intent
        if item.consents is not None:
            payload["priceIncreaseStatus"] = int(item.consents)
        return self.chain.sign(payload)

    def notification(self, notification: Notification) -> str:
        """Sign a notification (responseBodyV2DecodedPayload)."""
        data: dict[str, object] = {
            "bundleId": self.bundle_id,
            "bundleVersion": "1",
            "environment": environment(sandbox=notification.sandbox),
        }
        if not notification.sandbox:
            data["appAppleId"] = self.app_id
        item = notification.subscription
        if item is not None:
            data |= {
                "signedTransactionInfo": self.transaction(item, notification.at),
                "signedRenewalInfo": self.renewal_info(item, notification.at),
                "status": int(item.status),
            }
        payload: dict[str, object] = {
            "notificationType": notification.type,
            "notificationUUID": notification.id,
            "version": "2.0",
            "signedDate": milliseconds(notification.at),
            "data": data,
        }
        if notification.subtype is not None:
            payload["subtype"] = notification.subtype
        return self.chain.sign(payload)


def environment(*, sandbox: bool) -> str:
    """Return the name of an environment of the App Store."""
    return "Sandbox" if sandbox else "Production"


def milliseconds(moment: datetime) -> int:
    """Return a time in the App Store's unit."""
    return int(moment.timestamp() * 1000)
