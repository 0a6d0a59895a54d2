"""Retention of the outbox."""

from datetime import timedelta
from typing import Final

from sqlmodel import col

from app.core.manifest import RetentionRule
from app.realtime.models import RealtimeOutboxEvent

MAX_AGE: Final = timedelta(days=1)
"""Age at which an undelivered event is deleted: it is stale for every client."""

RETENTION: Final = (
    RetentionRule(
        model=RealtimeOutboxEvent, expired=lambda _runtime, now: col(RealtimeOutboxEvent.created_at) < now - MAX_AGE
    ),
)
