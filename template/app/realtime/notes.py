"""The notes that processes send each other through a channel's stream."""

from typing import Final

RECHECK: Final = "recheck"
"""Authorize every subscriber again."""
PRESENCE: Final = "presence"
"""Users have joined or left."""
