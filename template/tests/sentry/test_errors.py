"""Unexpected errors reach Sentry with what identifies them, and nothing else."""

import asyncio
import gc
import gzip
import json
import logging
import time
import tracemalloc

import httpx
import pytest
import structlog

from app.core.config.settings import ConfigurationError
from app.core.context import TraceIds, current_trace
from app.core.errors import NotFoundError
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running, settings_classes
from app.core.manifest import Module, modules_of
from app.core.module import module as core
from app.core.observability.change_redaction import SENSITIVE
from app.core.ports.operations import InboxAttempt, JobAttempt
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.modules import MODULES
from app.sentry.client import installed_release
from app.sentry.exceptions import MAX_EXCEPTIONS, MIN_SECRET, Messages
from app.sentry.module import module as sentry
from app.sentry.module import secret_values
from tests.conftest import ME, SignIn
from tests.sentry.conftest import PUBLIC
from tests.sentry.envelopes import Envelopes

ORDER = f"{PUBLIC}/shop/orders"
FIELDS = {
    "breadcrumbs",
    "contexts",
    "environment",
    "event_id",
    "exception",
    "level",
    "platform",
    "release",
    "request",
    "sdk",
    "server_name",
    "tags",
    "timestamp",
    "transaction",
}

logger = structlog.stdlib.get_logger(__name__)


class TestRequests:
    async def test_are_reported_with_ids_and_templates(
        self, shop_client: httpx.AsyncClient, envelopes: Envelopes
    ) -> None:
        response = await shop_client.post(f"{ORDER}/7?text=hello")
        assert response.status_code == 500

        (event,) = envelopes.wait("event", 1)
        route = f"{ORDER}/{{id}}"
        assert event["transaction"] == f"POST {route}"
        assert event["request"] == {"method": "POST", "url": route, "headers": {"content-length": "0"}}
        assert event["tags"] == {"request_id": response.headers["x-request-id"]}
        assert (event["release"], event["environment"], event["level"]) == ("shop@1.2.3", "local", "error")
        cause, error = event["exception"]["values"]
        assert [cause["type"], error["type"]] == ["LookupError", "RuntimeError"]
        assert [cause["value"], error["value"]] == ["", ""]
        frame = error["stacktrace"]["frames"][-1]
        assert frame["function"] == "fail"
        assert "raise RuntimeError" in frame["context_line"]
        assert "vars" not in frame
        assert event["server_name"] == ""

    async def test_name_the_user_and_the_latest_steps(
        self,
        live_client: httpx.AsyncClient,
        live_sign_in: SignIn,
        envelopes: Envelopes,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        headers = await live_sign_in()
        me = (await live_client.get(ME, headers=headers)).json()["id"]

        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr("app.users.schemas.UserRead.model_validate", broken)
        assert (await live_client.get(ME, headers=headers)).status_code == 500

        (event,) = envelopes.wait("event", 1)
        assert event["user"] == {"id": me}
        *_, query, line = event["breadcrumbs"]["values"]
        assert query["category"] == "db"
        assert "SELECT" in query["message"]
        assert (line["category"], line["message"]) == ("app.core.http.middleware", "unhandled_error")

    async def test_answers_to_clients_are_not_reported(
        self, shop_client: httpx.AsyncClient, envelopes: Envelopes
    ) -> None:
        for path in ("shop/missing", "nowhere", "health"):
            await shop_client.get(f"{PUBLIC}/{path}")
        await shop_client.post(f"{ORDER}/7", content=b"{")
        assert (await shop_client.post(f"{ORDER}/7")).status_code == 500

        (event,) = envelopes.wait("event", 1)
        assert event["transaction"] == f"POST {ORDER}/{{id}}"


class TestScrubbing:
    async def test_no_secret_and_no_personal_field_is_sent(
        self, shop_client: httpx.AsyncClient, runtime: Runtime, envelopes: Envelopes
    ) -> None:
        names = sorted({*_secrets(), *_personal_fields(runtime), *SENSITIVE})
        assert len(names) > 50
        for name in names:
            needle = f"needle-{name}"
            response = await shop_client.post(
                f"{ORDER}/{needle}-id?text={needle}&{name}={needle}",
                json={name: needle, needle: "x"},
                headers={
                    "authorization": f"Bearer {needle}",
                    "cookie": f"{name}={needle}",
                    f"x-{name.replace('_', '-')}": needle,
                    "user-agent": needle,
                    "referer": f"https://example.com/{needle}",
                    "content-type": f"application/json; {name}={needle}",
                    "x-request-id": f"request-{len(name)}",
                },
            )
            assert response.status_code == 500

        envelopes.wait("event", len(names))
        sent = b"".join(envelopes.raw)
        assert b"RuntimeError" in sent
        assert b"needle" not in sent

    async def test_events_have_the_documented_fields_only(
        self, shop_client: httpx.AsyncClient, envelopes: Envelopes
    ) -> None:
        await shop_client.post(f"{ORDER}/7")
        (event,) = envelopes.wait("event", 1)
        assert event.keys() == FIELDS
        assert event["contexts"].keys() == {"trace"}

    async def test_the_dsn_is_in_no_event(self, shop_client: httpx.AsyncClient, envelopes: Envelopes) -> None:
        await shop_client.post(f"{ORDER}/7")
        (event,) = envelopes.wait("event", 1)
        assert "0123456789abcdef" not in json.dumps(event)

    async def test_messages_are_sent_on_demand_without_addresses(
        self, monkeypatch: pytest.MonkeyPatch, envelopes: Envelopes
    ) -> None:
        monkeypatch.setenv("SENTRY_MESSAGES", "true")
        with pytest.raises(LookupError):
            await _fail_in(LookupError("no order of ada@example.com"))
        (event,) = envelopes.wait("event", 1)
        assert event["exception"]["values"][-1]["value"] == "no order of [email]"

    async def test_messages_never_contain_a_secret_setting(self, runtime: Runtime) -> None:
        secrets = {secret for secret in secret_values(runtime) if len(secret) >= MIN_SECRET}
        assert secrets
        for secret in secrets:
            assert Messages(secrets).of(LookupError(f"refused: {secret}")) == "[secret]"


def _secrets() -> list[str]:
    fields = [(name, field) for cls in settings_classes(MODULES) for name, field in cls.model_fields.items()]
    return sorted(name for name, field in fields if "Secret" in str(field.annotation))


def _personal_fields(runtime: Runtime) -> list[str]:
    data = [personal for module in modules_of(runtime) for personal in module.personal_data]
    return sorted({column for personal in data for column in personal.model.model_fields})


async def _fail_in(error: BaseException) -> None:
    """Fail while the application runs, as the start of a later module does."""
    runtime = create_runtime([core, sentry])
    async with running(runtime, background=False):
        raise error


class TestProcesses:
    async def test_a_failing_start_is_reported(self, envelopes: Envelopes) -> None:
        with pytest.raises(LookupError):
            await _fail_in(LookupError())
        (event,) = envelopes.wait("event", 1)
        assert event["exception"]["values"][-1]["type"] == "LookupError"

    async def test_a_long_chain_of_causes_is_cut(self, envelopes: Envelopes) -> None:
        error = LookupError("first")
        for _ in range(3_000):
            following = LookupError("next")
            following.__context__, error = error, following
        with pytest.raises(LookupError):
            await _fail_in(error)
        (event,) = envelopes.wait("event", 1)
        assert len(event["exception"]["values"]) == MAX_EXCEPTIONS

    async def test_errors_for_users_are_not_reported(self, envelopes: Envelopes) -> None:
        with pytest.raises(UserError):
            await _fail_in(UserError("Set DATABASE_URL."))
        assert envelopes.raw == []

    @pytest.mark.usefixtures("runtime")
    async def test_a_forgotten_task_is_reported_once(self, envelopes: Envelopes) -> None:
        async def fail() -> None:
            raise LookupError

        task = asyncio.create_task(fail())
        await asyncio.wait({task})
        del task
        gc.collect()
        assert len(envelopes.wait("event", 1)) == 1

    async def test_a_malformed_dsn_is_one_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for dsn in ("nonsense", "https://sentry.io/1", "https://key@/1", "https://key@host"):
            monkeypatch.setenv("SENTRY_DSN", dsn)
            with pytest.raises(ConfigurationError, match="SENTRY_DSN is not a DSN") as caught:
                create_runtime([core, sentry])
            assert dsn not in str(caught.value)

    async def test_without_a_dsn_nothing_listens(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SENTRY_DSN", "")
        runtime = create_runtime([core, sentry])
        async with running(runtime, background=False):
            assert runtime.telemetry.listeners == ()

    def test_the_release_is_the_installed_project(self) -> None:
        assert (installed_release() or "").endswith("@0.1.0")


class TestWork:
    async def test_a_dead_job_is_reported_and_a_repeated_attempt_is_not(self, envelopes: Envelopes) -> None:
        async def send_invoice(_runtime: Runtime) -> None:
            raise LookupError("of ada@example.com")

        shop = Module(name="shop", jobs=(send_invoice,))
        runtime = create_runtime([core, sentry, shop])
        async with running(runtime, background=False):
            assert isinstance(runtime.queue, InProcessQueue)
            runtime.queue.eager = False
            async with runtime.database.transaction() as session:
                await runtime.queue.enqueue(session, send_invoice)
            with pytest.raises(ExceptionGroup):
                await runtime.queue.drain()

        (event,) = envelopes.wait("event", 1)
        assert event["transaction"] == event["tags"]["job"] == "tests.send_invoice"
        assert event["exception"]["values"][-1]["type"] == "LookupError"

    async def test_a_webhook_event_has_its_provider_and_its_job(self, envelopes: Envelopes, runtime: Runtime) -> None:
        error = LookupError()
        job = runtime.telemetry.start(_last_attempt())
        attempt = runtime.telemetry.start(InboxAttempt(provider="shop", handler="shop.paid", attempt=5))
        runtime.telemetry.finish(attempt, error)
        logger.error("inbox_event_failed", exc_info=error)
        runtime.telemetry.finish(job)

        (event,) = envelopes.wait("event", 1)
        assert event["transaction"] == event["tags"]["handler"] == "shop.paid"
        assert (event["tags"]["provider"], event["tags"]["job"]) == ("shop", "shop.order")
        assert event["tags"]["request_id"] == "request-1"


class TestLogs:
    @pytest.mark.usefixtures("runtime")
    async def test_a_logged_exception_is_reported_once(self, envelopes: Envelopes) -> None:
        for error in (LookupError(), NotFoundError("Nothing here."), ExceptionGroup("", [UserError("Set it.")])):
            logger.error("cron_failed", exc_info=error)
            logger.error("cron_failed", exc_info=error)
            logging.getLogger("library").error("failed", exc_info=error)
        logger.warning("retried", exc_info=KeyError())
        logging.getLogger("library").error("failed", exc_info=ValueError())

        events = envelopes.wait("event", 2)
        assert [each["exception"]["values"][-1]["type"] for each in events] == ["LookupError", "ValueError"]

    @pytest.mark.usefixtures("runtime")
    async def test_messages_of_libraries_are_no_breadcrumbs(self, envelopes: Envelopes, runtime: Runtime) -> None:
        operation = runtime.telemetry.start(_last_attempt())
        logger.info("order_placed", address="needle")
        logging.getLogger("library").warning("GET /needle")
        runtime.telemetry.finish(operation, ZeroDivisionError())

        (event,) = envelopes.wait("event", 1)
        crumbs = event["breadcrumbs"]["values"]
        assert [(each["category"], each["message"]) for each in crumbs] == [
            ("tests.sentry.test_errors", "order_placed"),
            ("library", ""),
        ]
        assert "needle" not in json.dumps(crumbs)

    @pytest.mark.usefixtures("runtime")
    async def test_the_distributed_trace_is_found(self, envelopes: Envelopes, runtime: Runtime) -> None:
        operation = runtime.telemetry.start(_last_attempt())
        token = current_trace.set(TraceIds(trace_id="a" * 32, span_id="b" * 16, sampled=True))
        logger.info("order_placed")
        current_trace.reset(token)
        runtime.telemetry.finish(operation, ZeroDivisionError())

        (event,) = envelopes.wait("event", 1)
        assert event["tags"]["trace_id"] == event["contexts"]["trace"]["trace_id"] == "a" * 32


def _last_attempt() -> JobAttempt:
    return JobAttempt(name="shop.order", job_id="1", attempt=3, is_last=True, request_id="request-1")


class TestAvailability:
    async def test_a_dead_sentry_costs_nothing(self, shop_client: httpx.AsyncClient, envelopes: Envelopes) -> None:
        envelopes.delay = 60.0
        started = time.perf_counter()
        for _ in range(150):
            assert (await shop_client.post(f"{ORDER}/7")).status_code == 500
        assert time.perf_counter() - started < envelopes.delay / 2
        # The queue was full: the first envelope still waits for its response.
        assert len(envelopes.raw) == 1

    async def test_an_endless_answer_is_not_read(self, shop_client: httpx.AsyncClient, envelopes: Envelopes) -> None:
        envelopes.answer_headers = {}
        envelopes.body = (bytes(64 * 1024) for _ in range(4_000))
        for _ in range(2):
            assert (await shop_client.post(f"{ORDER}/7")).status_code == 500
        await asyncio.to_thread(envelopes.wait, "event", 2)
        # Some of it is in the buffers of the connection.
        assert envelopes.sent < 50_000_000

    async def test_an_answer_is_not_decompressed(self, shop_client: httpx.AsyncClient, envelopes: Envelopes) -> None:
        bomb = gzip.compress(bytes(60_000_000), compresslevel=9)
        envelopes.answer_headers = {"content-encoding": "gzip", "content-length": str(len(bomb))}
        envelopes.body = (bomb,)
        tracemalloc.start()
        try:
            for _ in range(2):
                assert (await shop_client.post(f"{ORDER}/7")).status_code == 500
            await asyncio.to_thread(envelopes.wait, "event", 2)
            assert tracemalloc.get_traced_memory()[1] < 30_000_000
        finally:
            tracemalloc.stop()
