"""Personal data in bookings, and how long deleted ones are kept."""

from datetime import timedelta
from typing import Final

from sqlmodel import col, select

from app.bookings.models import Booking, BookingLine
from app.core.data_policy.daily_report import rows_since
from app.core.manifest import PersonalData, ReportMetric, RetentionRule

PERSONAL_DATA: Final = (
    PersonalData(
        model=BookingLine,
        belongs=lambda user_id: col(BookingLine.booking_id).in_(
            select(col(Booking.id)).where(col(Booking.owner_id) == user_id)
        ),
    ),
    PersonalData(model=Booking, belongs=lambda user_id: col(Booking.owner_id) == user_id),
)

RETENTION: Final = (
    RetentionRule(model=Booking, expired=lambda _runtime, now: col(Booking.deleted_at) < now - timedelta(days=30)),
)

REPORT_METRICS: Final = (ReportMetric(name="bookings_created", count=rows_since(col(Booking.created_at))),)
