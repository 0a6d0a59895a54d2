"""The customer portal: its configurations and sessions."""

from typing import Final

from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.base import Json
from app.dev.servers.stripe.objects.customers import Customer
from app.dev.servers.stripe.objects.hosted import PortalConfiguration, PortalSession
from app.dev.servers.stripe.params import Params

_REASONS: Final = ("too_expensive", "missing_features", "switched_service", "unused", "other")


def create_configuration(call: Call) -> Answer:
    """Create a configuration; the first one becomes the default."""
    params, account = call.params, call.account
    profile, features = _profile(params, {}), _features(params, {})
    configuration = PortalConfiguration(
        id=account.new_id(PortalConfiguration.PREFIX),
        created=account.now,
        business_profile=profile,
        default_return_url=params.text("default_return_url"),
        features=features,
        is_default=not account.all(PortalConfiguration),
        metadata=call.metadata(),
        name=params.text("name"),
        updated=account.now,
    )
    params.ignore("login_page")
    params.finish()
    account.emit("billing_portal.configuration.created", account.add(configuration))
    return configuration


def update_configuration(call: Call) -> Answer:
    """Change a configuration."""
    configuration, params = call.one(PortalConfiguration), call.params
    profile, features = _profile(params, configuration.business_profile), _features(params, configuration.features)
    active, metadata = params.boolean("active"), call.metadata(configuration.metadata)
    url, name = params.text("default_return_url"), params.text("name")
    params.ignore("login_page")
    params.finish()
    configuration.business_profile, configuration.features = profile, features
    configuration.active = configuration.active if active is None else active
    configuration.metadata, configuration.name = metadata, name or configuration.name
    configuration.default_return_url = url or configuration.default_return_url
    configuration.updated = call.account.now
    call.account.emit("billing_portal.configuration.updated", configuration)
    return configuration


def configurations(call: Call) -> Answer:
    """List configurations."""
    active, default = call.params.boolean("active"), call.params.boolean("is_default")
    return call.page(
        PortalConfiguration, lambda one: active in {None, one.active} and default in {None, one.is_default}
    )


def _profile(params: Params, before: Json) -> Json:
    part = params.group("business_profile")
    names = ("headline", "privacy_policy_url", "terms_of_service_url")
    return {name: part.text(name) or before.get(name) for name in names}


def _features(params: Params, before: Json) -> Json:
    part = params.group("features")
    return {
        "customer_update": _customer_update(part, before),
        "invoice_history": {"enabled": _enabled(part, "invoice_history", before)},
        "payment_method_update": {
            "enabled": _enabled(part, "payment_method_update", before),
            "payment_method_configuration": None,
        },
        "subscription_cancel": _cancel(part, before),
        "subscription_pause": {
            "duration": {"interval_options": [], "type": "indefinite"},
            "enabled": _enabled(part, "subscription_pause", before),
        },
        "subscription_update": _update(part, before),
    }


def _before(before: Json, feature: str) -> Json:
    found = before.get(feature)
    return found if isinstance(found, dict) else {}


def _enabled(features: Params, feature: str, before: Json) -> bool:
    given = features.group(feature).boolean("enabled")
    return _before(before, feature).get("enabled") is True if given is None else given


def _customer_update(features: Params, before: Json) -> Json:
    part, old = features.group("customer_update"), _before(before, "customer_update")
    enabled = part.boolean("enabled")
    return {
        "allowed_updates": part.strings("allowed_updates") or old.get("allowed_updates", []),
        "enabled": old.get("enabled") is True if enabled is None else enabled,
    }


def _cancel(features: Params, before: Json) -> Json:
    part, old = features.group("subscription_cancel"), _before(before, "subscription_cancel")
    enabled, reason = part.boolean("enabled"), part.group("cancellation_reason")
    options = reason.strings("options")
    return {
        "cancellation_reason": {"enabled": reason.boolean("enabled") is True, "options": options or list(_REASONS)},
        "enabled": old.get("enabled") is True if enabled is None else enabled,
        "mode": part.choice("mode", ("at_period_end", "immediately")) or old.get("mode", "at_period_end"),
        "proration_behavior": part.choice("proration_behavior", ("always_invoice", "create_prorations", "none"))
        or old.get("proration_behavior", "none"),
    }


def _update(features: Params, before: Json) -> Json:
    part, old = features.group("subscription_update"), _before(before, "subscription_update")
    enabled = part.boolean("enabled")
    products: list[Json] = []
    for one in part.entries("products"):
        adjustable = one.group("adjustable_quantity")
        products.append(
            {
                "adjustable_quantity": {
                    "enabled": adjustable.boolean("enabled") is True,
                    "maximum": adjustable.integer("maximum"),
                    "minimum": adjustable.integer("minimum") or 1,
                },
                "prices": one.strings("prices"),
                "product": one.required("product"),
            }
        )
    part.ignore("schedule_at_period_end", "billing_cycle_anchor")
    return {
        "billing_cycle_anchor": None,
        "default_allowed_updates": part.strings("default_allowed_updates") or old.get("default_allowed_updates", []),
        "enabled": old.get("enabled") is True if enabled is None else enabled,
        "products": products or old.get("products"),
        "proration_behavior": part.choice("proration_behavior", ("always_invoice", "create_prorations", "none"))
        or old.get("proration_behavior", "none"),
        "schedule_at_period_end": {"conditions": []},
        "trial_update_behavior": part.choice("trial_update_behavior", ("continue_trial", "end_trial"))
        or old.get("trial_update_behavior", "end_trial"),
    }


def create_session(call: Call) -> Answer:
    """Create a session of the portal.

    Raises:
        ApiError: the portal isn't configured yet.
    """
    params, account = call.params, call.account
    customer = account.find(Customer, params.required("customer"), param="customer")
    chosen, return_url = params.text("configuration"), params.text("return_url")
    locale = params.text("locale")
    params.ignore("flow_data")
    params.finish()
    if chosen is not None:
        configuration = account.find(PortalConfiguration, chosen, param="configuration")
    else:
        default = next((one for one in account.all(PortalConfiguration) if one.is_default), None)
        if default is None:
            raise invalid(
                "No configuration provided and your test mode default configuration has not been created. Provide a "
                "configuration or create your default by saving your customer portal settings in test mode."
            )
        configuration = default
    session_id = account.new_id(PortalSession.PREFIX)
    return account.add(
        PortalSession(
            id=session_id,
            created=account.now,
            configuration=configuration.id,
            customer=customer.id,
            locale=locale,
            return_url=return_url or configuration.default_return_url,
            url=f"{account.base_url}/portal/{session_id}",
        )
    )
