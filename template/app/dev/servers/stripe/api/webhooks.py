"""Webhook endpoints and events."""

import secrets

from app.dev.servers.stripe.api.call import Answer, Call
from app.dev.servers.stripe.errors import invalid
from app.dev.servers.stripe.objects.base import Deleted, document
from app.dev.servers.stripe.objects.events import Event, WebhookEndpoint


def create(call: Call) -> Answer:
    """Create an endpoint. Only this answer contains its secret."""
    params, account = call.params, call.account
    endpoint = WebhookEndpoint(
        id=account.new_id(WebhookEndpoint.PREFIX),
        created=account.now,
        api_version=params.text("api_version"),
        description=params.text("description"),
        enabled_events=params.strings("enabled_events"),
        metadata=call.metadata(),
        secret=f"whsec_{secrets.token_hex(16)}",
        url=params.required("url"),
    )
    params.ignore("connect")
    params.finish()
    if not endpoint.enabled_events:
        raise invalid("Missing required param: enabled_events.", "enabled_events", code="parameter_missing")
    account.add(endpoint)
    shown = document(endpoint)
    return {**(shown if isinstance(shown, dict) else {}), "secret": endpoint.secret}


def update(call: Call) -> Answer:
    """Change an endpoint."""
    endpoint, params = call.one(WebhookEndpoint), call.params
    events, url, disabled = params.strings("enabled_events"), params.text("url"), params.boolean("disabled")
    description, metadata = params.text("description"), call.metadata(endpoint.metadata)
    params.finish()
    endpoint.enabled_events, endpoint.url = events or endpoint.enabled_events, url or endpoint.url
    endpoint.description, endpoint.metadata = description or endpoint.description, metadata
    if disabled is not None:
        endpoint.status = "disabled" if disabled else "enabled"
    return endpoint


def delete(call: Call) -> Answer:
    """Delete an endpoint."""
    call.params.finish()
    endpoint = call.one(WebhookEndpoint)
    call.account.remove(endpoint)
    call.account.deliveries[:] = [one for one in call.account.deliveries if one.endpoint != endpoint.id]
    return Deleted(id=endpoint.id, kind=WebhookEndpoint.OBJECT)


def listed(call: Call) -> Answer:
    """List endpoints."""
    return call.page(WebhookEndpoint)


def events(call: Call) -> Answer:
    """List events."""
    kind, kinds = call.params.text("type"), call.params.strings("types")
    call.params.ignore("delivery_success")
    return call.page(Event, lambda one: kind in {None, one.type} and (not kinds or one.type in kinds))
