"""The shapes of the requests and responses of impersonation."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from app.impersonation.models import REASON_LENGTH
from app.impersonation.tokens import ACCESS_TOKEN_TYPE

Reason = Annotated[str, StringConstraints(strip_whitespace=True, pattern=r"^[\w #/.:,()-]+$", max_length=REASON_LENGTH)]


class ImpersonationStart(BaseModel):
    """The user to impersonate, and why."""

    user_id: UUID
    reason: Reason = Field(description="A reference, such as the number of a support ticket. No personal data.")


class ImpersonationStop(BaseModel):
    """The impersonation to end."""

    impersonation_id: UUID | None = Field(None, description="By default, your own.")


class ImpersonationRead(BaseModel):
    """An impersonation."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    admin_id: UUID
    user_id: UUID
    reason: str
    created_at: datetime
    expires_at: datetime


class StartedImpersonation(BaseModel):
    """A started impersonation and its token, as in a response of a token exchange (RFC 8693 §2.2.1)."""

    access_token: str = Field(description="The bearer token for requests as the user.")
    issued_token_type: str = ACCESS_TOKEN_TYPE
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - RFC 6750
    expires_in: int = Field(description="Seconds until the token expires.")
    impersonation: ImpersonationRead


class EndedImpersonations(BaseModel):
    """The impersonations that the request has ended."""

    items: list[ImpersonationRead]
