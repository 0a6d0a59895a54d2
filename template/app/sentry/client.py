"""The connection to Sentry."""

from collections.abc import Collection
from importlib.metadata import entry_points
from typing import Final, cast

from sentry_sdk import Client
from sentry_sdk.types import Event

from app.core.config.settings import Settings
from app.sentry.events import error_event, transaction_event
from app.sentry.exceptions import Messages, exception_values
from app.sentry.settings import SentrySettings
from app.sentry.trail import Trail
from app.sentry.transport import BoundedTransport

FLUSH_SECONDS: Final = 2.0
"""Maximum number of seconds that a stopping process waits for its last events to be sent."""
_REPORTED: Final = "__reported_to_sentry__"
_TRAIL: Final = "__sentry_trail__"


class Reporter:
    """A client that sends events in a thread of its own. Nothing waits for Sentry: a full queue drops events.

    Args:
        secrets: values that no message may contain.
    """

    def __init__(self, settings: SentrySettings, core: Settings, secrets: Collection[str]) -> None:
        self._messages = Messages(secrets) if settings.SENTRY_MESSAGES else None
        self._client = Client(
            dsn=settings.SENTRY_DSN.get_secret_value(),
            transport=BoundedTransport,
            release=settings.SENTRY_RELEASE or installed_release(),
            environment=core.ENVIRONMENT.value,
            # The SDK's own integrations read requests, variables and arguments. Ours is the telemetry port.
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            # The SDK would use the host's name.
            server_name="",
            shutdown_timeout=FLUSH_SECONDS,
        )

    def report(self, error: BaseException, trail: Trail | None = None) -> None:
        """Report an exception, once, with the request or the job of the trail."""
        if _is_reported(error):
            return
        error.__dict__[_REPORTED] = True
        trail = error.__dict__.pop(_TRAIL, trail)
        values = exception_values(error, self._client.options, self._messages)
        self._client.capture_event(cast("Event", error_event(values, trail)))

    @staticmethod
    def remember(error: BaseException, trail: Trail) -> None:
        """Store the trail with the exception, for a report that is made after the trail has ended."""
        error.__dict__.setdefault(_TRAIL, trail)

    def report_transaction(self, trail: Trail) -> None:
        """Report a request or a job with its steps."""
        self._client.capture_event(cast("Event", transaction_event(trail)))

    def close(self) -> None:
        """Send the queued events, for at most `FLUSH_SECONDS`. Blocks."""
        self._client.close(timeout=FLUSH_SECONDS)


def _is_reported(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup) and all(_is_reported(inner) for inner in error.exceptions):
        return True
    return _REPORTED in error.__dict__


def installed_release() -> str | None:
    """Return the name and the version of the installed project, such as `my-saas@0.1.0`."""
    for command in entry_points(group="console_scripts", name="app"):
        if command.dist is not None and command.value.startswith("app.cli."):
            return f"{command.dist.name}@{command.dist.version}"
    return None
