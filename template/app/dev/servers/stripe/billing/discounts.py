"""The amounts that coupons subtract from invoices."""

from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.catalog import Coupon, Discount, DiscountSource, PromotionCode
from app.dev.servers.stripe.objects.invoices import DiscountAmount, InvoiceLine
from app.dev.servers.stripe.objects.subscriptions import Subscription


def reduction(coupon: Coupon, amount: int) -> int:
    """Return what a coupon takes off an amount."""
    off = coupon.amount_off if coupon.percent_off is None else round(amount * coupon.percent_off / 100)
    return max(0, min(amount, off or 0))


def take_discounts(account: Account, subscription: Subscription, lines: list[InvoiceLine]) -> list[DiscountAmount]:
    """Return what the discounts of a subscription take off an invoice."""
    left = sum(one.amount for one in lines if one.discountable)
    taken = []
    for discount_id in subscription.discounts:
        discount = account.find(Discount, discount_id)
        amount = reduction(account.find(Coupon, discount.source.coupon), left)
        left -= amount
        taken.append(DiscountAmount(amount=amount, discount=discount.id))
    return taken


def end_discounts(account: Account, subscription: Subscription) -> None:
    """Remove the discounts that were for the first invoice, or whose months are over."""
    for discount_id in list(subscription.discounts):
        discount = account.find(Discount, discount_id)
        once = account.find(Coupon, discount.source.coupon).duration == "once"
        if once or (discount.end is not None and discount.end <= account.now):
            subscription.discounts.remove(discount_id)


def find_coupon(account: Account, coupon: str | None, promotion_code: str | None) -> Coupon:
    """Return the coupon that is named directly or through the id of a promotion code.

    Raises:
        ApiError: it doesn't exist or isn't valid.
    """
    if promotion_code is not None:
        code = account.find(PromotionCode, promotion_code, param="promotion_code")
        if not code.active:
            raise invalid("This promotion code is inactive.", "promotion_code")
        coupon = code.promotion.coupon
    found = account.find(Coupon, coupon or "", param="coupon")
    if not found.valid:
        raise invalid("This coupon has expired.", "coupon", code="coupon_expired")
    return found


def redeem(
    account: Account, subscription: Subscription, coupon: Coupon, *, promotion_code: str | None, session: str | None
) -> None:
    """Give a discount to a subscription."""
    months = coupon.duration_in_months or 0
    coupon.times_redeemed += 1
    coupon.valid = coupon.max_redemptions is None or coupon.times_redeemed < coupon.max_redemptions
    code = account.get(PromotionCode, promotion_code)
    if code is not None:
        code.times_redeemed += 1
        code.active = code.max_redemptions is None or code.times_redeemed < code.max_redemptions
    discount = account.add(
        Discount(
            id=account.new_id(Discount.PREFIX),
            created=account.now,
            checkout_session=session,
            customer=subscription.customer,
            end=account.now + months * 30 * 86_400 if coupon.duration == "repeating" else None,
            promotion_code=promotion_code,
            source=DiscountSource(coupon=coupon.id),
            start=account.now,
            subscription=subscription.id,
        )
    )
    subscription.discounts.append(discount.id)
