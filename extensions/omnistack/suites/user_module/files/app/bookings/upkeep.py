"""Personal data in bookings, and how long deleted ones are kept."""

from datetime import timedelta
from typing import Final

from sqlmodel import col, select

from app.bookings.models import Booking, BookingLine
from app.core.cleanup import Cleanup
from app.core.personal_data import PersonalData
from app.core.report import Figure, rows_since

PERSONAL_DATA: Final = (
    PersonalData(
        model=BookingLine,
        belongs=lambda user_id: col(BookingLine.booking_id).in_(
            select(col(Booking.id)).where(col(Booking.owner_id) == user_id)
        ),
    ),
    PersonalData(model=Booking, belongs=lambda user_id: col(Booking.owner_id) == user_id),
)

CLEANUPS: Final = (
    Cleanup(model=Booking, expired=lambda _runtime, now: col(Booking.deleted_at) < now - timedelta(days=30)),
)

FIGURES: Final = (Figure(name="bookings_created", count=rows_since(col(Booking.created_at))),)
