"""Stripe's reports about usage that it accepted first and rejected later.

They are thin events of API version 2: the event says that there is a report, which is fetched from the API.
"""

from contextlib import suppress
from typing import Any, Final
from uuid import UUID

import structlog
from pydantic import BaseModel, ValidationError
from uuid_utils.compat import uuid7

from app.core.db.database import insert_if_absent
from app.core.db.models import utc_now
from app.core.errors import NotFoundError
from app.core.inbox import service as inbox
from app.core.ports.queue import Json
from app.core.runtime import Runtime
from app.payments.webhooks import MalformedEventError
from app.stripe.api import StripeApi
from app.stripe.settings import webhook_secrets
from app.stripe.webhook import verified
from app.usage_billing import meter_api, statements
from app.usage_billing.models import REASON_LENGTH, MeterErrorReport
from app.usage_billing.settings import UsageBillingSettings

logger = structlog.stdlib.get_logger(__name__)

PROVIDER: Final = "stripe-meters"
METER_ERRORS: Final = "v1.billing.meter.error_report_triggered"


class _Meter(BaseModel):
    id: str


class ThinEvent(BaseModel):
    """The event as it is sent."""

    id: str
    type: str
    related_object: _Meter | None = None


class _Request(BaseModel):
    identifier: str


class _Sample(BaseModel):
    error_message: str
    request: _Request


class _ErrorType(BaseModel):
    code: str
    error_count: int
    sample_errors: list[_Sample] = []


class _Reason(BaseModel):
    error_types: list[_ErrorType]


class _Data(BaseModel):
    reason: _Reason


class _Report(BaseModel):
    """The event as it is fetched."""

    id: str
    related_object: _Meter
    data: _Data


async def receive_report(runtime: Runtime, body: bytes, signature: str) -> None:
    """Verify an event and store it, if it reports rejected usage.

    Raises:
        NotFoundError: there is no secret.
        InvalidSignatureError: the event is not signed with it.
    """
    setting = runtime.resource(UsageBillingSettings).STRIPE_METER_WEBHOOK_SECRET
    if not setting.get_secret_value():
        raise NotFoundError("Webhook")
    event = verified(body, signature, webhook_secrets(setting), ThinEvent.model_validate)
    if event.type == METER_ERRORS:
        await inbox.receive(
            runtime,
            provider=PROVIDER,
            event_id=event.id,
            payload={"id": event.id},
            handler=apply_meter_error_report,
        )


async def apply_meter_error_report(runtime: Runtime, payload: dict[str, Json]) -> None:
    """Store a report, and mark the records that it names as rejected.

    Raises:
        MalformedEventError: the report does not match Stripe's documentation.
    """
    report = _read(await meter_api.error_report(runtime.resource(StripeApi), str(payload["id"])))
    for error in report.data.reason.error_types:
        await _store(runtime, report, error)
        named = [sent for sample in error.sample_errors if (sent := _record_of(sample.request.identifier)) is not None]
        rejected = await statements.reject(runtime.database, named, error.code)
        logger.error("usage_rejected_late", code=error.code, reported=error.error_count, known=rejected)


def _read(value: dict[str, Any]) -> _Report:
    try:
        return _Report.model_validate(value)
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise MalformedEventError(f"the report's {where} is not as documented") from None


async def _store(runtime: Runtime, report: _Report, error: _ErrorType) -> None:
    now = utc_now()
    values = {
        "id": uuid7(),
        "created_at": now,
        "updated_at": now,
        "event_id": report.id,
        "meter_id": report.related_object.id,
        "code": error.code[:100],
        "error_count": error.error_count,
        "message": error.sample_errors[0].error_message[:REASON_LENGTH] if error.sample_errors else "",
    }
    async with runtime.database.transaction() as session:
        await insert_if_absent(session, MeterErrorReport, values, unique=("event_id", "code"))


def _record_of(identifier: str) -> tuple[UUID, int] | None:
    """Return the id and the number of repeats, see `Claim.identifier`."""
    id_, _, repeats = identifier.partition(".")
    with suppress(ValueError):
        return UUID(id_), int(repeats or "0")
    return None
