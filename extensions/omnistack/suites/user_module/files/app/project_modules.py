"""Your own modules, in order. This file is yours: updates of the template never touch it."""

from app.bookings.module import module as bookings
from app.core.manifest import Module

MODULES: tuple[Module, ...] = (bookings,)
