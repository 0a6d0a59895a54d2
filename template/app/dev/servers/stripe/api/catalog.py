"""Products, prices, coupons and promotion codes."""

from decimal import Decimal, InvalidOperation

from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.errors import ApiError, invalid
from app.dev.servers.stripe.objects.base import Deleted
from app.dev.servers.stripe.objects.catalog import (
    INTERVALS,
    TAX_BEHAVIORS,
    Coupon,
    Price,
    Product,
    Promotion,
    PromotionCode,
    Recurring,
    Restrictions,
)
from app.dev.servers.stripe.objects.meters import Meter
from app.dev.servers.stripe.params import MAX_INTEGER, Params


def create_product(call: Call) -> Answer:
    """Create a product. The caller may choose its id."""
    params, account = call.params, call.account
    chosen, name = params.text("id"), params.required("name")
    product = Product(
        id=chosen or account.new_id(Product.PREFIX),
        created=account.now,
        active=params.boolean("active") is not False,
        description=params.text("description"),
        metadata=call.metadata(),
        name=name,
        tax_code=params.text("tax_code"),
        unit_label=params.text("unit_label"),
        updated=account.now,
    )
    params.ignore("marketing_features", "statement_descriptor", "url", "images", "shippable", "type")
    params.finish()
    if chosen is not None and account.get(Product, chosen) is not None:
        raise invalid("Product already exists.", "id", code="resource_already_exists")
    account.emit("product.created", account.add(product))
    return product


def update_product(call: Call) -> Answer:
    """Change a product."""
    product, params = call.one(Product), call.params
    active, metadata = params.boolean("active"), call.metadata(product.metadata)
    texts = {name: params.text(name) for name in ("description", "tax_code", "unit_label") if name in params}
    name, price = params.text("name"), params.text("default_price")
    params.ignore("marketing_features", "statement_descriptor", "url", "images", "shippable")
    params.finish()
    if price is not None:
        product.default_price = call.account.find(Price, price, param="default_price").id
    for field, value in texts.items():
        setattr(product, field, value)
    product.name, product.metadata = name or product.name, metadata
    product.active = product.active if active is None else active
    product.updated = call.account.now
    call.account.emit("product.updated", product)
    return product


def delete_product(call: Call) -> Answer:
    """Delete a product that has no prices."""
    call.params.finish()
    product = call.one(Product)
    if any(price.product == product.id for price in call.account.all(Price)):
        raise invalid("This product cannot be deleted because it has one or more user-created prices.")
    call.account.remove(product)
    call.account.emit("product.deleted", product)
    return Deleted(id=product.id, kind=Product.OBJECT)


def products(call: Call) -> Answer:
    """List products."""
    active, ids = call.params.boolean("active"), call.params.strings("ids")
    return call.page(Product, lambda one: active in {None, one.active} and (not ids or one.id in ids))


def create_price(call: Call) -> Answer:
    """Create a price. `transfer_lookup_key` takes the lookup key from the price that has it."""
    params, account = call.params, call.account
    amount, decimal = _amount(params)
    key, transfer = params.text("lookup_key"), params.boolean("transfer_lookup_key") is True
    recurring = _recurring(call) if "recurring" in params else None
    price = Price(
        id=account.new_id(Price.PREFIX),
        created=account.now,
        active=params.boolean("active") is not False,
        currency=params.required("currency").lower(),
        lookup_key=key,
        metadata=call.metadata(),
        nickname=params.text("nickname"),
        product=_product(call),
        recurring=recurring,
        tax_behavior=params.choice("tax_behavior", TAX_BEHAVIORS) or "unspecified",
        type="one_time" if recurring is None else "recurring",
        unit_amount=amount,
        unit_amount_decimal=decimal,
    )
    params.ignore("billing_scheme")
    params.finish()
    _take_lookup_key(call, key, transfer=transfer)
    account.emit("price.created", account.add(price))
    return price


def _product(call: Call) -> str:
    if "product_data" in call.params:
        data = call.params.group("product_data")
        now = call.account.now
        made = Product(
            id=data.text("id") or call.account.new_id(Product.PREFIX),
            created=now,
            name=data.required("name"),
            metadata=data.mapping("metadata"),
            updated=now,
        )
        call.account.emit("product.created", call.account.add(made))
        return made.id
    return call.account.find(Product, call.params.required("product"), param="product").id


def _amount(params: Params) -> tuple[int | None, str | None]:
    amount = params.integer("unit_amount", least=0, most=MAX_INTEGER)
    if amount is not None:
        return amount, str(amount)
    text = params.text("unit_amount_decimal")
    if text is None:
        raise invalid("Prices require a `unit_amount` or `unit_amount_decimal` parameter to be set.", "unit_amount")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise invalid(f"Invalid decimal: {text}", "unit_amount_decimal") from None
    return (int(value) if value == int(value) else None), text


def _recurring(call: Call) -> Recurring:
    params = call.params.group("recurring")
    interval = params.choice("interval", INTERVALS)
    if interval is None:
        raise invalid("Missing required param: recurring[interval].", "recurring[interval]", code="parameter_missing")
    meter = params.text("meter")
    if meter is not None:
        call.account.find(Meter, meter, param="recurring[meter]")
    return Recurring(
        interval=interval,
        interval_count=params.integer("interval_count", least=1, most=36) or 1,
        meter=meter,
        usage_type=params.choice("usage_type", ("licensed", "metered")) or "licensed",
    )


def _take_lookup_key(call: Call, key: str | None, *, transfer: bool) -> None:
    holder = next((one for one in call.account.all(Price) if key is not None and one.lookup_key == key), None)
    if holder is None or holder.id == call.ids.get("id"):
        return
    if not transfer:
        raise ApiError(
            message=f"A price (`{holder.id}`) already uses that lookup key.",
            code="resource_already_exists",
            param="lookup_key",
        )
    holder.lookup_key = None
    call.account.emit("price.updated", holder)


def update_price(call: Call) -> Answer:
    """Change a price. Its amount and its interval are fixed."""
    price, params = call.one(Price), call.params
    active, metadata = params.boolean("active"), call.metadata(price.metadata)
    transfer = params.boolean("transfer_lookup_key") is True
    key = params.text("lookup_key") if "lookup_key" in params else price.lookup_key
    nickname = params.text("nickname") if "nickname" in params else price.nickname
    tax = params.choice("tax_behavior", TAX_BEHAVIORS)
    params.finish()
    _take_lookup_key(call, key, transfer=transfer)
    price.active = price.active if active is None else active
    price.lookup_key, price.nickname, price.metadata = key, nickname, metadata
    price.tax_behavior = tax or price.tax_behavior
    call.account.emit("price.updated", price)
    return price


def prices(call: Call) -> Answer:
    """List prices, by lookup key or product."""
    params = call.params
    active, product, kind = params.boolean("active"), params.text("product"), params.text("type")
    keys, currency = params.strings("lookup_keys"), params.text("currency")
    return call.page(
        Price,
        lambda one: (
            active in {None, one.active}
            and product in {None, one.product}
            and kind in {None, one.type}
            and currency in {None, one.currency}
            and (not keys or one.lookup_key in keys)
        ),
    )


def create_coupon(call: Call) -> Answer:
    """Create a coupon."""
    params, account = call.params, call.account
    percent = params.text("percent_off")
    coupon = Coupon(
        id=params.text("id") or account.new_id(Coupon.PREFIX),
        created=account.now,
        amount_off=params.integer("amount_off", least=1, most=MAX_INTEGER),
        currency=params.text("currency"),
        duration=params.choice("duration", ("forever", "once", "repeating")) or "once",
        duration_in_months=params.integer("duration_in_months", least=1, most=36),
        max_redemptions=params.integer("max_redemptions", least=1, most=MAX_INTEGER),
        metadata=call.metadata(),
        name=params.text("name"),
        percent_off=None if percent is None else float(percent),
    )
    params.finish()
    if (coupon.amount_off is None) == (coupon.percent_off is None):
        raise invalid("Must provide exactly one of `percent_off` or `amount_off`.")
    account.emit("coupon.created", account.add(coupon))
    return coupon


def coupons(call: Call) -> Answer:
    """List coupons."""
    return call.page(Coupon)


def create_promotion_code(call: Call) -> Answer:
    """Create a code for a coupon."""
    params, account = call.params, call.account
    promotion = params.group("promotion")
    promotion.choice("type", ("coupon",))
    coupon = account.find(Coupon, promotion.required("coupon"), param="promotion[coupon]")
    code_id = account.new_id(PromotionCode.PREFIX)
    code = PromotionCode(
        id=code_id,
        created=account.now,
        active=params.boolean("active") is not False,
        code=params.text("code") or code_id[-8:].upper(),
        customer=params.text("customer"),
        expires_at=params.integer("expires_at"),
        max_redemptions=params.integer("max_redemptions", least=1, most=MAX_INTEGER),
        metadata=call.metadata(),
        promotion=Promotion(coupon=coupon.id),
        restrictions=Restrictions(),
    )
    params.finish()
    account.emit("promotion_code.created", account.add(code))
    return code


def promotion_codes(call: Call) -> Answer:
    """List promotion codes."""
    active, code = call.params.boolean("active"), call.params.text("code")
    return call.page(PromotionCode, lambda one: active in {None, one.active} and code in {None, one.code})
