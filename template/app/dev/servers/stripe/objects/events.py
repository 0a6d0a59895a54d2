"""Events and the endpoints that receive them."""

from dataclasses import dataclass, field
from typing import ClassVar, Literal

from app.dev.servers.stripe.objects.base import HIDDEN, Json, Metadata, Resource

API_VERSION = "2026-10-28.endive"


@dataclass(kw_only=True)
class EventData:
    """The object as it was at the time of the event, and the changed fields as they were before."""

    object: Json
    previous_attributes: Json | None = None


@dataclass(kw_only=True)
class EventRequest:
    """The request that caused an event; null if time did."""

    id: str | None = None
    idempotency_key: str | None = None


@dataclass(kw_only=True)
class Event(Resource):
    """Something that happened."""

    OBJECT: ClassVar[str] = "event"
    PREFIX: ClassVar[str] = "evt"
    PATH: ClassVar[str] = "/v1/events"

    api_version: str = API_VERSION
    data: EventData
    pending_webhooks: int = 0
    request: EventRequest
    type: str


@dataclass(kw_only=True)
class WebhookEndpoint(Resource):
    """A URL that receives events. The API shows the secret only once, in the answer to the creation."""

    OBJECT: ClassVar[str] = "webhook_endpoint"
    PREFIX: ClassVar[str] = "we"
    PATH: ClassVar[str] = "/v1/webhook_endpoints"

    api_version: str | None = None
    application: None = None
    description: str | None = None
    enabled_events: list[str]
    metadata: Metadata = field(default_factory=dict)
    secret: str = field(metadata=HIDDEN)
    status: Literal["enabled", "disabled"] = "enabled"
    url: str

    def accepts(self, event_type: str) -> bool:
        """Return whether the endpoint receives this type of event."""
        return self.status == "enabled" and ("*" in self.enabled_events or event_type in self.enabled_events)
