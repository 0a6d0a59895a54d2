"""Bookings of rooms."""

from app.bookings.models import Booking, BookingLine
from app.bookings.routes import router
from app.bookings.upkeep import CLEANUPS, FIGURES, PERSONAL_DATA
from app.core.module import Module

module = Module(
    name="bookings",
    models=(Booking, BookingLine),
    router=router,
    personal_data=PERSONAL_DATA,
    cleanups=CLEANUPS,
    figures=FIGURES,
)
