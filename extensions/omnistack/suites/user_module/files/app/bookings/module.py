"""Bookings of rooms."""

from app.bookings.data_policy import PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.bookings.models import Booking, BookingLine
from app.bookings.routes import router
from app.core.manifest import Module

module = Module(
    name="bookings",
    models=(Booking, BookingLine),
    router=router,
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
)
