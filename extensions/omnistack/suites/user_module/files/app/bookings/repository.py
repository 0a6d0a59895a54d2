"""Statements on bookings and their lines."""

from typing import ClassVar

from sqlmodel import col

from app.bookings.models import Booking, BookingLine
from app.core.db.repository import Repository


class BookingRepository(Repository[Booking]):
    """Bookings by owner."""

    model = Booking
    owner: ClassVar = col(Booking.owner_id)
    searchable: ClassVar = (col(Booking.room),)


class BookingLineRepository(Repository[BookingLine]):
    """Lines of bookings."""

    model = BookingLine
