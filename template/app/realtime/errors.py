"""Errors of the handshake."""

from app.core.errors import AppError, ForbiddenError
from app.realtime.limits import MAX_CONNECTIONS


class OriginNotAllowedError(ForbiddenError):
    """The page that opens the connection is not of an allowed origin."""

    code = "ORIGIN_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__("Pages of this origin may not connect. Add it to BACKEND_CORS_ORIGINS.")


class TooManyConnectionsError(AppError):
    """The user has too many open connections."""

    status = 429
    code = "TOO_MANY_CONNECTIONS"

    def __init__(self) -> None:
        super().__init__(
            f"A user can have {MAX_CONNECTIONS} connections. Close one first.", details={"limit": MAX_CONNECTIONS}
        )
