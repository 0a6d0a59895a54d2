"""The tables of bookings."""

from datetime import date
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from app.core.db.columns import enum_type
from app.core.db.models import Entity, SoftDelete


class BookingState(StrEnum):
    """The state of a booking."""

    REQUESTED = "requested"
    CONFIRMED = "confirmed"


class Booking(Entity, SoftDelete, table=True):
    """A booking of a room."""

    __tablename__ = "bookings"
    __table_args__ = (Index(None, "owner_id", "id"),)

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    room: str = Field(max_length=200)
    first_day: date
    state: BookingState = Field(default=BookingState.REQUESTED, sa_type=enum_type(BookingState, length=16))


class BookingLine(Entity, table=True):
    """An amount that a booking costs."""

    __tablename__ = "booking_lines"

    booking_id: UUID = Field(foreign_key="bookings.id", ondelete="CASCADE", index=True)
    label: str = Field(max_length=200)
    amount: Decimal = Field(max_digits=12, decimal_places=2)
