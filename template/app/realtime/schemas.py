"""Schemas of the routes."""

from datetime import datetime

from pydantic import BaseModel, Field


class Ticket(BaseModel):
    """A ticket for one connection: `WS /app/ws?ticket=…`."""

    ticket: str
    expires_in: int = Field(description="Seconds.")


class ConnectionRead(BaseModel):
    """An open connection of the current user to the process that answers."""

    id: str
    connected_at: datetime
    channels: list[str]


class RealtimeStatus(BaseModel):
    """The current user's connections."""

    connections: int = Field(description="Open connections of the user, to any process.")
    here: list[ConnectionRead] = Field(description="Those to the process that answers.")
