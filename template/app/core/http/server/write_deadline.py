"""The deadline for clients to read what the server sends."""

from app.core.http.server.limits import MIN_RATE


class WriteDeadline:
    """The deadline of one connection's write buffer.

    Args:
        timeout: seconds until the client reads more, and until it has read everything; longer for much, by `MIN_RATE`.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._unread: tuple[int, float, float] | None = None
        """The size of the buffer when it last shrank, when that was, and when it must be empty."""

    def reset(self) -> None:
        """Forget the deadline: the client has read."""
        self._unread = None

    def is_exceeded(self, size: int, now: float) -> bool:
        """Return whether the client reads too slowly.

        Args:
            size: bytes in the buffer.
            now: the event loop's time.
        """
        if not size:
            self._unread = None
        elif self._unread is None:
            self._unread = size, now, now + self._timeout + size / MIN_RATE
        else:
            smallest, shrank_at, deadline = self._unread
            if size < smallest:
                shrank_at = now
                self._unread = size, shrank_at, deadline
            return now > deadline or now - shrank_at > self._timeout
        return False
