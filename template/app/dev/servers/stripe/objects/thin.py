"""Thin events of API version 2, which report rejected usage, and the destinations that receive them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from app.dev.servers.stripe.objects.base import Json, Resource

METER_ERRORS = "v1.billing.meter.error_report_triggered"


@dataclass(kw_only=True)
class ThinEvent(Resource):
    """Something that happened. What is sent says only that; the data have to be fetched."""

    OBJECT: ClassVar[str] = "v2.core.event"
    PREFIX: ClassVar[str] = "evt_thin"
    PATH: ClassVar[str] = "/v2/core/events"

    type: str
    related: Json
    data: Json

    def shown(self) -> Json:
        """Return what is sent."""
        return {
            "id": self.id,
            "object": self.OBJECT,
            "type": self.type,
            "livemode": self.livemode,
            "created": datetime.fromtimestamp(self.created, UTC).isoformat(),
            "context": None,
            "reason": None,
            "related_object": self.related,
        }


@dataclass(kw_only=True)
class EventDestination(Resource):
    """A URL that receives thin events."""

    OBJECT: ClassVar[str] = "v2.core.event_destination"
    PREFIX: ClassVar[str] = "ed_test"
    PATH: ClassVar[str] = "/v2/core/event_destinations"

    name: str
    enabled_events: list[str]
    secret: str
    url: str
    metadata: dict[str, str] = field(default_factory=dict)

    def shown(self, *included: str) -> Json:
        """Return the destination, with the parts that the API leaves out unless they are included."""
        endpoint = {
            "webhook_endpoint.url": ("url", self.url),
            "webhook_endpoint.signing_secret": ("signing_secret", self.secret),
        }
        return {
            "id": self.id,
            "object": self.OBJECT,
            "name": self.name,
            "description": "",
            "created": datetime.fromtimestamp(self.created, UTC).isoformat(),
            "livemode": self.livemode,
            "enabled_events": self.enabled_events,
            "event_payload": "thin",
            "metadata": self.metadata,
            "status": "enabled",
            "type": "webhook_endpoint",
            "webhook_endpoint": dict(endpoint[name] for name in included if name in endpoint),
        }
