"""The translation of the App Store's description of a subscription into a snapshot."""

from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from appstoreserverlibrary.models.AutoRenewStatus import AutoRenewStatus
from appstoreserverlibrary.models.InAppOwnershipType import InAppOwnershipType
from appstoreserverlibrary.models.JWSRenewalInfoDecodedPayload import JWSRenewalInfoDecodedPayload
from appstoreserverlibrary.models.JWSTransactionDecodedPayload import JWSTransactionDecodedPayload
from appstoreserverlibrary.models.OfferDiscountType import OfferDiscountType
from appstoreserverlibrary.models.RevocationType import RevocationType
from appstoreserverlibrary.models.Status import Status

from app.payments.port import ProviderUnavailableError, SubscriptionSnapshot, SubscriptionStatus

PROVIDER: Final = "apple"


def snapshot_of(
    status: int,
    transaction: JWSTransactionDecodedPayload,
    renewal: JWSRenewalInfoDecodedPayload | None,
    *,
    plan: str | None,
    sandbox: bool,
    taken_at: datetime,
) -> SubscriptionSnapshot:
    """Translate the last transaction of a subscription.

    Access lasts until the transaction's expiry while it is active, until the end of the grace period after a failed
    renewal, and not at all while the App Store retries the payment without a grace period
    (https://developer.apple.com/documentation/storekit/reducing-involuntary-subscriber-churn).

    Args:
        status: of the App Store Server API (https://developer.apple.com/documentation/appstoreserverapi/status).
        transaction: the verified last transaction.
        renewal: the verified renewal information.
        plan: the plan that contains the transaction's product.
        sandbox: whether it comes from the sandbox.
        taken_at: when the request was sent.

    Raises:
        ProviderUnavailableError: the status is not known here.
    """
    expires = moment(transaction.expiresDate)
    ends = renewal is not None and renewal.autoRenewStatus is AutoRenewStatus.OFF
    trial = transaction.offerDiscountType is OfferDiscountType.FREE_TRIAL
    grace = None if renewal is None else moment(renewal.gracePeriodExpiresDate)
    access: datetime | None = None
    match status:
        case Status.ACTIVE:
            access = expires
            normalized = SubscriptionStatus.TRIALING if trial else SubscriptionStatus.ACTIVE
            normalized = SubscriptionStatus.CANCELLED if ends else normalized
        case Status.BILLING_GRACE_PERIOD:
            access, normalized = grace, SubscriptionStatus.PAST_DUE
        case Status.BILLING_RETRY:
            normalized = SubscriptionStatus.PAST_DUE
        case Status.EXPIRED:
            normalized = SubscriptionStatus.EXPIRED
        case Status.REVOKED:
            normalized = SubscriptionStatus.EXPIRED if _was_shared(transaction) else SubscriptionStatus.REFUNDED
        case _:
            raise ProviderUnavailableError(f"The App Store describes a subscription with the unknown status {status}.")
    return SubscriptionSnapshot(
        provider=PROVIDER,
        provider_id=str(transaction.originalTransactionId),
        user_id=account_of(transaction),
        plan=plan,
        product=transaction.productId,
        status=normalized,
        access_until=access,
        period_start=moment(transaction.purchaseDate),
        period_end=expires,
        cancel_at_period_end=ends and normalized is SubscriptionStatus.CANCELLED,
        trial_end=expires if trial else None,
        grace_end=grace if status == Status.BILLING_GRACE_PERIOD else None,
        quantity=transaction.quantity or 1,
        sandbox=sandbox,
        taken_at=taken_at,
    )


def account_of(transaction: JWSTransactionDecodedPayload) -> UUID | None:
    """Return the user that the app named when the purchase was made. Family members' transactions name none."""
    try:
        return UUID(transaction.appAccountToken or "")
    except ValueError:
        return None


def moment(milliseconds: int | None) -> datetime | None:
    """Convert a time of the App Store."""
    return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)


def _was_shared(transaction: JWSTransactionDecodedPayload) -> bool:
    """Return whether it was a share in a family member's purchase: nothing was paid for it, or is paid back."""
    return (
        transaction.revocationType is RevocationType.FAMILY_REVOKE
        or transaction.inAppOwnershipType is InAppOwnershipType.FAMILY_SHARED
    )
