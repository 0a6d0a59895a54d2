"""Refused tokens in the audit trail. A flood of them must neither fill the trail nor slow the database down."""

from typing import Final

import structlog

from app.auth.port import GenuineTokenError, InvalidTokenError
from app.core.errors import ServiceUnavailableError
from app.core.http.rate_limit import allows
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime
from app.users.errors import AccountDeactivatedError, TokenRevokedError

logger = structlog.stdlib.get_logger(__name__)

RATE_PER_SOURCE: Final = "5/hour"
"""Maximum entries for one user, or for one client address if the user is unknown."""
RATE: Final = "300/hour"
"""Maximum entries altogether."""


async def record_refusal(runtime: Runtime, error: InvalidTokenError | AccountDeactivatedError, client: str) -> None:
    """Record the refusal of a token that was forged or revoked, or whose user is deactivated.

    Without an audit log, the line in the security log is enough.
    """
    entry = _entry(error, client)
    if entry is None or runtime.has_default("audit"):
        return
    source = f"refusals:{entry.target_id if entry.target_type == 'user' else client}"
    if not (await allows(runtime, RATE_PER_SOURCE, source) and await allows(runtime, RATE, "refusals")):
        return
    try:
        async with runtime.database.transaction() as session:
            await runtime.audit.record(session, entry)
    except ServiceUnavailableError:
        # The client's error is the refused token.
        logger.warning("refused_token_not_recorded")


def _entry(error: InvalidTokenError | AccountDeactivatedError, client: str) -> AuditEntry | None:
    if isinstance(error, AccountDeactivatedError | TokenRevokedError):
        # An identity that was deleted at the provider before its first request has no user.
        user_id = "unknown" if error.user_id is None else str(error.user_id)
        reason = "deactivated" if isinstance(error, AccountDeactivatedError) else error.reason
        target = ("user", user_id)
    elif isinstance(error, GenuineTokenError):
        # Every token expires: that is no attack.
        return None
    else:
        reason, target = error.reason, ("token", "unknown")
    return AuditEntry(
        actor_id=None,
        action="auth.token_refused",
        target_type=target[0],
        target_id=target[1],
        client=client,
        details={"reason": reason},
    )
