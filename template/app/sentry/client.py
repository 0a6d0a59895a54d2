"""The connection to Sentry."""

from importlib.metadata import entry_points
from typing import Final, cast

from sentry_sdk import Client
from sentry_sdk.types import Event

from app.core.config.settings import Settings
from app.core.ports.telemetry import Operation
from app.sentry.events import error_event, transaction_event
from app.sentry.exceptions import exception_values
from app.sentry.settings import SentrySettings
from app.sentry.trail import Trail

FLUSH_SECONDS: Final = 2.0
"""The longest time that the end of a process waits for its last events."""
_REPORTED: Final = "__reported_to_sentry__"


class Reporter:
    """Sends events in a thread of its own. A full queue drops events; nothing waits for Sentry, and nothing raises."""

    def __init__(self, settings: SentrySettings, core: Settings) -> None:
        self._messages = settings.SENTRY_MESSAGES
        self._client = Client(
            dsn=settings.SENTRY_DSN.get_secret_value(),
            release=settings.SENTRY_RELEASE or installed_release(),
            environment=core.ENVIRONMENT.value,
            # The SDK's own integrations read requests, variables and arguments. Ours is the telemetry port.
            default_integrations=False,
            auto_enabling_integrations=False,
            auto_session_tracking=False,
            include_local_variables=False,
            max_request_body_size="never",
            max_breadcrumbs=0,
            # Neither the host's name nor a proxy or a release from the environment.
            server_name="",
            shutdown_timeout=FLUSH_SECONDS,
        )

    def report(self, error: BaseException, operation: Operation | None = None, trail: Trail | None = None) -> None:
        """Report an exception, once."""
        if hasattr(error, _REPORTED):
            return
        error.__dict__[_REPORTED] = True
        values = exception_values(error, self._client.options, messages=self._messages)
        self._client.capture_event(cast("Event", error_event(values, operation, trail)))

    def report_transaction(self, operation: Operation, trail: Trail) -> None:
        """Report a request or a job with its steps."""
        self._client.capture_event(cast("Event", transaction_event(operation, trail)))

    def close(self) -> None:
        """Send what is left, for a limited time. Blocks."""
        self._client.close(timeout=FLUSH_SECONDS)


def installed_release() -> str | None:
    """Return the name and the version of the installed project, such as `my-saas@0.1.0`."""
    for command in entry_points(group="console_scripts", name="app"):
        if command.dist is not None and command.value.startswith("app.cli."):
            return f"{command.dist.name}@{command.dist.version}"
    return None
