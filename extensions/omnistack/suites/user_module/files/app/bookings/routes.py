"""Routes for a user's own bookings."""

from uuid import UUID

from fastapi import APIRouter, status

from app.bookings.models import Booking, BookingLine
from app.bookings.repository import BookingRepository
from app.bookings.schemas import BookingCreate, BookingRead
from app.core.db.pagination import Page, PageDep
from app.core.http.dependencies import SessionDep
from app.users.dependencies import CurrentUser

router = APIRouter(prefix="/bookings")


@router.get("")
async def list_bookings(session: SessionDep, user: CurrentUser, page: PageDep) -> Page[BookingRead]:
    """List the current user's bookings."""
    return await BookingRepository(session).page(BookingRead, page, owner_id=user.id)


@router.post("", status_code=status.HTTP_201_CREATED)
async def create_booking(session: SessionDep, user: CurrentUser, data: BookingCreate) -> BookingRead:
    """Create a booking with one line."""
    booking = Booking(owner_id=user.id, room=data.room, first_day=data.first_day)
    session.add(booking)
    await session.flush()
    session.add(BookingLine(booking_id=booking.id, label="Room", amount=data.amount))
    return BookingRead.model_validate(booking)


@router.get("/{booking_id}")
async def read_booking(session: SessionDep, user: CurrentUser, booking_id: UUID) -> BookingRead:
    """Get one of the current user's bookings."""
    return BookingRead.model_validate(await BookingRepository(session).require(booking_id, owner_id=user.id))
