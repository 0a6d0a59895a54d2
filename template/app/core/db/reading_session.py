"""The session of a safe request: it survives a connection that the server has closed."""

from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session


class ReadingSession(Session):
    """A session that runs its first statement again if the connection turns out to be closed.

    Later ones may depend on rows that were loaded before, and fail.
    """

    def execute(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's
        """See `Session.execute`."""
        return self._again(super().execute, *args, **options)

    def scalars(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's
        """See `Session.scalars`."""
        return self._again(super().scalars, *args, **options)

    def scalar(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as SQLAlchemy's
        """See `Session.scalar`."""
        return self._again(super().scalar, *args, **options)

    def _again[T](self, run: Callable[..., T], *args: object, **options: object) -> T:
        try:
            return run(*args, **options)
        except DBAPIError as error:
            if not error.connection_invalidated or len(self.identity_map):
                raise
            self.rollback()
        return run(*args, **options)
