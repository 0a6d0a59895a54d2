"""Operations become the right series, with labels of few values."""

from pathlib import Path

import pytest

from app.core.ports.operations import (
    AICall,
    CacheLookup,
    DatabaseQuery,
    EmailDelivery,
    ExternalCall,
    HttpRequest,
    InboxAttempt,
    JobAttempt,
    Operation,
    PoolCheckout,
    RealtimeConnection,
    TransactionWait,
    WebhookDelivery,
    WebhookReceipt,
)
from app.core.ports.telemetry import Telemetry
from app.metrics.instruments import instruments_in
from app.metrics.listener import MetricsListener
from tests.metrics.reading import read
from tests.metrics.scrapes import Scrape


class Recording:
    """A listener with metrics of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.listener = MetricsListener(instruments_in(folder))
        self.telemetry = Telemetry()

    def report(self, *operations: Operation, error: BaseException | None = None) -> None:
        """Report operations from their start to their end."""
        with self.telemetry.listening(self.listener):
            for operation in operations:
                self.telemetry.finish(self.telemetry.start(operation), error)

    def scrape(self) -> Scrape:
        """Return what a scrape contains."""
        return read(self.folder)


@pytest.fixture
def recording(folder: Path) -> Recording:
    return Recording(folder)


def request(method: str = "GET", route: str | None = "/things/{id}", status: int = 200) -> HttpRequest:
    return HttpRequest(method=method, request_id="1", traceparent=None, route=route, status=status)


class TestRequests:
    def test_are_counted_by_method_route_and_status(self, recording: Recording) -> None:
        recording.report(request(), request(), request(status=404), request(method="POST"))
        scrape, count = recording.scrape(), "http_server_request_duration_seconds_count"
        assert scrape.total(count) == 4
        labels = {"http_route": "/things/{id}", "http_response_status_code": "200"}
        assert scrape.total(count, http_request_method="GET", **labels) == 2

    def test_with_unknown_paths_and_methods_have_one_label_each(self, recording: Recording) -> None:
        recording.report(*(request(method=f"M{number}", route=None, status=404) for number in range(50)))
        scrape, count = recording.scrape(), "http_server_request_duration_seconds_count"
        assert scrape.values(count, "http_request_method") == {"_OTHER"}
        assert scrape.values(count, "http_route") == {"unmatched"}
        assert scrape.total(count) == 50

    def test_failed_ones_are_counted_by_route(self, recording: Recording) -> None:
        recording.report(request(status=500), request(status=503), request(status=404), request(route=None, status=500))
        scrape, errors = recording.scrape(), "app_http_request_errors_total"
        assert scrape.total(errors, http_route="/things/{id}") == 2
        assert scrape.total(errors, http_route="unmatched") == 1

    def test_that_run_are_counted(self, recording: Recording) -> None:
        with recording.telemetry.listening(recording.listener):
            operation = recording.telemetry.start(request())
            assert recording.listener.active_requests == 1
            recording.telemetry.finish(operation)
        assert recording.listener.active_requests == 0


class TestDatabase:
    def test_statements_are_counted_by_their_kind(self, recording: Recording) -> None:
        statements = ["SELECT 1", "select 2", "INSERT INTO t", "WITH t AS (SELECT 1) SELECT 1", "BEGIN"]
        recording.report(*(DatabaseQuery(statement=statement) for statement in statements))
        recording.report(DatabaseQuery(statement="DELETE FROM t"), error=OSError())
        scrape, count = recording.scrape(), "db_client_operation_duration_seconds_count"
        kinds = scrape.values(count, "db_operation_name")
        assert {kind: scrape.total(count, db_operation_name=kind) for kind in kinds} == {
            "SELECT": 2,
            "INSERT": 1,
            "OTHER": 2,
            "DELETE": 1,
            "UPDATE": 0,
        }
        assert scrape.total(count, outcome="error") == 1

    def test_waits_for_connections_and_their_use_are_counted(self, recording: Recording) -> None:
        recording.report(TransactionWait(), PoolCheckout(in_use=1, waited=0.1), PoolCheckout(in_use=2, waited=0))
        recording.report(TransactionWait(), PoolCheckout(in_use=1, waited=0.1), error=TimeoutError())
        scrape = recording.scrape()
        assert scrape.total("db_client_connection_wait_time_seconds_count", outcome="success") == 3
        assert scrape.total("db_client_connection_wait_time_seconds_count", outcome="error") == 2
        assert scrape.total("db_client_connection_use_time_seconds_count") == 2


class TestWork:
    @pytest.mark.parametrize(
        ("operation", "error", "name", "labels"),
        [
            (CacheLookup(name="a", hit=True), None, "app_cache_lookups_total", {"cache": "a", "result": "hit"}),
            (CacheLookup(name="a"), None, "app_cache_lookups_total", {"cache": "a", "result": "miss"}),
            (
                JobAttempt(name="j", job_id="1", attempt=1, is_last=False, request_id=None),
                OSError(),
                "app_job_duration_seconds_count",
                {"job": "j", "outcome": "retry"},
            ),
            (
                JobAttempt(name="j", job_id="1", attempt=5, is_last=True, request_id=None),
                OSError(),
                "app_job_duration_seconds_count",
                {"job": "j", "outcome": "dead"},
            ),
            (
                InboxAttempt(provider="shop", handler="h", attempt=1),
                None,
                "app_inbox_processing_duration_seconds_count",
                {"provider": "shop", "outcome": "success"},
            ),
            (
                WebhookReceipt(provider="shop", is_new=True),
                None,
                "app_inbox_received_total",
                {"provider": "shop", "result": "new"},
            ),
            (
                ExternalCall(system="shop", is_refused=True, circuit="open"),
                OSError(),
                "app_external_call_duration_seconds_count",
                {"system": "shop", "outcome": "refused"},
            ),
            (
                ExternalCall(system="shop"),
                TimeoutError(),
                "app_external_call_duration_seconds_count",
                {"system": "shop", "outcome": "timeout"},
            ),
            (
                WebhookDelivery(sender="contact"),
                OSError(),
                "app_webhook_delivery_duration_seconds_count",
                {"sender": "contact", "outcome": "error"},
            ),
            (
                RealtimeConnection(request_id="1", route="/ws"),
                None,
                "app_realtime_connection_duration_seconds_count",
                {"http_route": "/ws", "outcome": "refused"},
            ),
        ],
        ids=lambda value: value if isinstance(value, str) else "",
    )
    def test_is_counted(
        self, recording: Recording, operation: Operation, error: Exception | None, name: str, labels: dict[str, str]
    ) -> None:
        recording.report(operation, error=error)
        assert recording.scrape().total(name, **labels) == 1

    def test_the_latest_state_of_a_circuit_counts(self, recording: Recording) -> None:
        for state, number in (("open", 2), ("half_open", 1), ("closed", 0)):
            recording.report(ExternalCall(system="shop", circuit=state))
            assert recording.scrape().total("app_circuit_breaker_state", system="shop") == number

    def test_emails_are_counted_by_recipient(self, recording: Recording) -> None:
        recording.report(EmailDelivery(provider="console", sent=3, failed=1))
        scrape = recording.scrape()
        assert scrape.total("app_emails_total", provider="console", outcome="success") == 3
        assert scrape.total("app_emails_total", provider="console", outcome="error") == 1
        assert scrape.total("app_email_send_duration_seconds_count") == 1

    def test_tokens_and_cost_of_models_are_added_up(self, recording: Recording) -> None:
        first, second, third = (AICall(provider="fake", model="small", streamed=False) for _ in range(3))
        first.input_tokens, first.output_tokens, first.cost = 100, 7, 0.25
        second.input_tokens = 1
        recording.report(first, second, third)
        scrape = recording.scrape()
        assert scrape.total("gen_ai_client_token_usage_sum", gen_ai_token_type="input") == 101
        assert scrape.total("gen_ai_client_token_usage_sum", gen_ai_token_type="output") == 7
        assert scrape.total("app_ai_cost_usd_total", gen_ai_request_model="small") == 0.25
        assert scrape.total("gen_ai_client_operation_duration_seconds_count") == 3


class TestFirstValues:
    """Prometheus does not take the first value of a series for an increase: series have to begin at 0."""

    def test_of_database_metrics_are_0(self, recording: Recording) -> None:
        scrape = recording.scrape()
        assert scrape.find(
            "db_client_operation_duration_seconds_count", db_operation_name="INSERT", outcome="error"
        ) == [0]
        assert scrape.find("db_client_connection_wait_time_seconds_count", outcome="error") == [0]

    def test_of_announced_operations_are_0(self, recording: Recording) -> None:
        for operation in (
            ExternalCall(system="shop"),
            AICall(provider="acme", model="small", streamed=False),
            EmailDelivery(provider="post"),
            WebhookDelivery(sender="contact"),
        ):
            recording.listener.expect(operation)
        recording.listener.expect_routes(["/things"])
        recording.listener.expect_jobs(["things.count"])
        scrape, model = recording.scrape(), {"gen_ai_provider_name": "acme", "gen_ai_request_model": "small"}
        assert scrape.find("app_external_call_duration_seconds_count", system="shop") == [0, 0, 0, 0]
        assert scrape.find("gen_ai_client_operation_duration_seconds_count", **model) == [0, 0]
        assert scrape.find("gen_ai_client_token_usage_count", **model) == [0, 0]
        assert scrape.find("app_ai_cost_usd_total", **model) == [0]
        assert scrape.find("app_email_send_duration_seconds_count", provider="post") == [0, 0]
        assert scrape.find("app_emails_total", provider="post") == [0, 0]
        assert scrape.find("app_webhook_delivery_duration_seconds_count", sender="contact") == [0, 0]
        assert scrape.find("app_http_request_errors_total", http_route="/things") == [0]
        assert scrape.find("app_job_duration_seconds_count", job="things.count", outcome="dead") == [0]

    def test_of_the_other_outcomes_of_an_operation_are_0(self, recording: Recording) -> None:
        recording.report(ExternalCall(system="shop"))
        found = recording.scrape().find("app_external_call_duration_seconds_count", system="shop")
        assert sorted(found) == [0, 0, 0, 1]
