"""Requests and responses about bookings."""

from datetime import date
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from app.bookings.models import BookingState
from app.kit.text import Line


class BookingCreate(BaseModel):
    """A new booking."""

    model_config = ConfigDict(extra="forbid")

    room: Annotated[str, Line(max_length=200)]
    first_day: date
    amount: Decimal = Field(ge=0, max_digits=12, decimal_places=2)


class BookingRead(BaseModel):
    """A booking as its owner sees it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    room: str
    first_day: date
    state: BookingState
