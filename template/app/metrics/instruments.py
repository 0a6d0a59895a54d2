"""The metrics that every process writes. docs/metrics.md describes them."""

import os
from functools import cache
from pathlib import Path
from typing import Final

from prometheus_client import Counter, Gauge, Histogram, values

from app.kit.user_error import UserError
from app.metrics.allocation import AllocatedDict
from app.metrics.directory import MetricsDirectory, lock_name

REQUEST_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""The buckets of the semantic conventions for HTTP servers."""
DATABASE_SECONDS: Final = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
"""The buckets of the semantic conventions for database clients."""
WORK_SECONDS: Final = (0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 300)
CONNECTION_SECONDS: Final = (1, 10, 60, 300, 1800, 3600, 14400, 86400)
LAG_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)
TOKENS: Final = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576)

_AI: Final = ("gen_ai_provider_name", "gen_ai_request_model")


def _seconds(name: str, text: str, *labels: str, buckets: tuple[float, ...] = WORK_SECONDS) -> Histogram:
    return Histogram(name, text, labels, unit="seconds", buckets=buckets, registry=None)


def _gauge(name: str, text: str, *labels: str) -> Gauge:
    return Gauge(name, text, labels, registry=None, multiprocess_mode="livesum")


def _counter(name: str, text: str, *labels: str) -> Counter:
    return Counter(name, text, labels, registry=None)


class Traffic:
    """Metrics of requests, WebSockets, the database and the cache."""

    def __init__(self) -> None:
        self.requests = _seconds(
            "http_server_request_duration",
            "HTTP requests, until the last byte of the response.",
            "http_request_method",
            "http_route",
            "http_response_status_code",
            buckets=REQUEST_SECONDS,
        )
        self.request_errors = _counter("app_http_request_errors", "HTTP requests with a server error.", "http_route")
        self.active_requests = _gauge("http_server_active_requests", "HTTP requests that are being served.")
        self.queries = _seconds(
            "db_client_operation_duration",
            "SQL statements.",
            "db_operation_name",
            "outcome",
            buckets=DATABASE_SECONDS,
        )
        self.pool_waits = _seconds(
            "db_client_connection_wait_time",
            "Waits until the pool provided a connection.",
            "outcome",
            buckets=DATABASE_SECONDS,
        )
        self.pool_uses = _seconds(
            "db_client_connection_use_time",
            "Times from a connection's checkout until its return.",
            buckets=DATABASE_SECONDS,
        )
        self.pool_connections = _gauge("db_client_connections_usage", "Connections of the pools.", "state")
        self.pool_size = _gauge("db_client_connections_max", "The sizes of the pools.")
        self.cache_lookups = _counter("app_cache_lookups", "Calls of cached functions.", "cache", "result")
        self.realtime_connections = _gauge("app_realtime_connections", "Open WebSockets.")
        self.realtime_durations = _seconds(
            "app_realtime_connection_duration",
            "WebSockets, until they close.",
            "http_route",
            "outcome",
            buckets=CONNECTION_SECONDS,
        )


class Work:
    """Metrics of jobs, webhooks, emails, AI models and other systems."""

    def __init__(self) -> None:
        self.jobs = _seconds("app_job_duration", "Attempts at jobs.", "job", "outcome")
        self.inbox_received = _counter(
            "app_inbox_received", "Inbound webhook events with a valid signature.", "provider", "result"
        )
        self.inbox_attempts = _seconds(
            "app_inbox_processing_duration", "Attempts at processing an inbound event.", "provider", "outcome"
        )
        self.external_calls = _seconds(
            "app_external_call_duration", "Attempts at calls to other systems.", "system", "outcome"
        )
        self.circuits = Gauge(
            "app_circuit_breaker_state",
            "0: closed, 1: half-open, 2: open. As of the last call to the system.",
            ("system",),
            registry=None,
            multiprocess_mode="livemostrecent",
        )
        self.ai_calls = _seconds("gen_ai_client_operation_duration", "Calls of AI models.", *_AI, "outcome")
        self.ai_tokens = Histogram(
            "gen_ai_client_token_usage",
            "Tokens of a call.",
            (*_AI, "gen_ai_token_type"),
            buckets=TOKENS,
            registry=None,
        )
        self.ai_cost = _counter("app_ai_cost_usd", "Cost of AI calls in US dollars.", *_AI)
        self.email_calls = _seconds("app_email_send_duration", "Calls to the email provider.", "provider", "outcome")
        self.emails = _counter("app_emails", "Emails by recipient.", "provider", "outcome")
        self.webhooks = _seconds("app_webhook_delivery_duration", "Attempts at outbound webhooks.", "sender", "outcome")


class Processes:
    """Metrics of the processes themselves."""

    def __init__(self) -> None:
        self.running = _gauge("app_processes", "Running processes.", "role")
        self.cpu = _counter("app_process_cpu_seconds", "CPU time of the processes.", "role")
        self.memory = _gauge("app_process_resident_memory_bytes", "Resident memory of the processes.", "role")
        self.loop_lag = Histogram(
            "app_event_loop_lag_seconds",
            "Times by which a sleeping task woke up late.",
            buckets=LAG_SECONDS,
            registry=None,
        )


class Instruments:
    """All metrics of this process. Create them with `instruments_in`.

    Args:
        lock: the file in the shared directory that shows that this process lives.
    """

    def __init__(self, lock: Path) -> None:
        self._lock = lock
        self.traffic = Traffic()
        self.work = Work()
        self.processes = Processes()

    def are_exposed(self) -> bool:
        """Return whether a scrape contains them. It does not after the directory was deleted."""
        return self._lock.exists()


@cache
def instruments_in(path: Path) -> Instruments:
    """Return the metrics of this process, which writes them to the directory until it ends. One set per process.

    Raises:
        UserError: the directory cannot be used.
        DirectoryBusyError: another process has locked it for too long.
    """
    try:
        id_ = MetricsDirectory(path).register()
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(path)
        # The library has no other way to choose the class of its files.
        values.MmapedDict = AllocatedDict  # type: ignore[assignment, attr-defined]
        values.ValueClass = values.MultiProcessValue(lambda: id_)  # type: ignore[no-untyped-call]
        return Instruments(path / lock_name(id_))
    except OSError as error:
        raise UserError(
            f"The metrics directory {path} cannot be used: {error.strerror}. Make it writable, or set METRICS_DIR."
        ) from error
