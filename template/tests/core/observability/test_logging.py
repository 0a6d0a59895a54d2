"""Log lines: of requests, of code, of other loggers, and their format."""

import json
import logging
from typing import Annotated, Any
from uuid import UUID

import pytest
import structlog
from fastapi import Depends, Request
from pydantic import BaseModel

from app.core.context import TraceIds, bind_user, current_trace
from tests.core.applications import PUBLIC, Build, client_of, module

USER = UUID("0190c7e2-8f3a-7000-8000-000000000001")

EMAIL = "ann.example+tag@mail.example.com"

SECRET = "correct horse battery staple"

logger = structlog.stdlib.get_logger(__name__)


class Thing(BaseModel):
    size: int


async def signed_in(request: Request) -> None:
    bind_user(request, USER)


async def read(id: str) -> dict[str, str]:  # noqa: A002 - the name in the path
    return {"id": id}


async def read_signed_in(_: Annotated[None, Depends(signed_in)]) -> dict[str, str]:
    current_trace.set(TraceIds(trace_id="a" * 32, span_id="b" * 16, sampled=False))
    logger.info("something_done", what=3)
    return {}


async def make(thing: Thing) -> Thing:
    return thing


async def fail() -> None:
    raise RuntimeError(f"{EMAIL} is unlucky")


def say(logger_name: str, message: str, *arguments: object) -> None:
    logging.getLogger(logger_name).warning(message, *arguments)


SMALL = module(
    ("GET", "/things/{id}", read), ("GET", "/mine", read_signed_in), ("POST", "/thing", make), ("GET", "/fail", fail)
)


class Log:
    """The lines that were written to standard output."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self.text = ""

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """The lines written since the last call, as JSON."""
        self.text = self._capsys.readouterr().out
        lines = [json.loads(line) for line in self.text.splitlines()]
        return [line for line in lines if event in (None, line["event"])]


@pytest.fixture
def log(capsys: pytest.CaptureFixture[str]) -> Log:
    return Log(capsys)


DEPLOYED = {"ENVIRONMENT": "production"}


class TestAccessLog:
    async def test_has_one_line_per_request(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            answer = await client.get(f"{PUBLIC}/things/42")

        [line] = log.lines()
        assert line.pop("timestamp").endswith("Z")
        assert 0 <= line.pop("duration_ms") < 60_000
        assert line == {
            "event": "request",
            "level": "info",
            "logger": "app.access",
            "request_id": answer.headers["x-request-id"],
            "method": "GET",
            "path": f"{PUBLIC}/things/42",
            "route": f"{PUBLIC}/things/{{id}}",
            "status": 200,
            "queries": 0,
            "query_ms": 0.0,
        }

    async def test_names_the_user(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            await client.get(f"{PUBLIC}/mine")

        [line] = log.lines("request")
        assert line["user_id"] == str(USER)

    async def test_names_no_user_of_an_earlier_request(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            await client.get(f"{PUBLIC}/mine")
            await client.get(f"{PUBLIC}/things/42")

        assert "user_id" not in log.lines("request")[1]

    @pytest.mark.parametrize(("path", "status"), [("nothing", 404), ("fail", 500), ("thing", 405)])
    async def test_has_the_status_of_errors(self, build: Build, log: Log, path: str, status: int) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            await client.get(f"{PUBLIC}/{path}")

        [line] = log.lines("request")
        assert line["status"] == status

    async def test_omits_health_checks(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            await client.get(f"{PUBLIC}/health")
            await client.get(f"{PUBLIC}/health/ready")

        assert log.lines() == []

    async def test_has_no_query_string_no_body_and_no_addresses(self, build: Build, log: Log) -> None:
        headers = {
            "X-Forwarded-For": "203.0.113.5",
            "Authorization": "Bearer not-for-logs",
            "User-Agent": "somebody's browser",
        }
        async with client_of(build(SMALL, **DEPLOYED), peer="192.0.2.77", headers=headers) as client:
            await client.get(f"{PUBLIC}/things/42?token={SECRET}&email={EMAIL}")
            await client.post(f"{PUBLIC}/thing?q={SECRET}", json={"size": SECRET, "email": EMAIL})
            await client.post(f"{PUBLIC}/thing", content=SECRET, headers={"Content-Type": "application/json"})

        assert len(log.lines("request")) == 3
        for secret in (SECRET, "horse", "mail.example", "192.0.2.77", "203.0.113.5", "not-for-logs", "browser", "?"):
            assert secret not in log.text

    async def test_a_forged_request_id_cannot_add_a_line(self, build: Build, log: Log) -> None:
        forged = [(b"x-request-id", b'x"}\n{"event":"forged"}')]
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            await client.get(f"{PUBLIC}/things/42", headers=forged)

        assert [line["event"] for line in log.lines()] == ["request"]

    async def test_a_line_break_in_the_path_cannot_add_a_line(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            await client.get(f'{PUBLIC}/things/x%0A{{"event":"forged"}}')

        assert [line["event"] for line in log.lines()] == ["request"]


class TestOtherLines:
    async def test_have_the_ids_of_their_request_and_user(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            answer = await client.get(f"{PUBLIC}/mine")

        [line] = log.lines("something_done")
        assert line["request_id"] == answer.headers["x-request-id"]
        assert line["user_id"] == str(USER)
        assert line["what"] == 3
        assert (line["trace_id"], line["span_id"]) == ("a" * 32, "b" * 16)

    async def test_below_the_level_are_left_out(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED, LOG_LEVEL="WARNING")) as client:
            await client.get(f"{PUBLIC}/mine")

        assert log.lines() == []


class TestUnexpectedErrors:
    async def test_are_logged_with_the_traceback_and_the_request(self, build: Build, log: Log) -> None:
        async with client_of(build(SMALL, **DEPLOYED)) as client:
            answer = await client.get(f"{PUBLIC}/fail")

        [line] = log.lines("unhandled_error")
        assert line["request_id"] == answer.headers["x-request-id"]
        assert line["level"] == "error"
        assert "in fail\n" in line["exception"]
        assert "RuntimeError: [email] is unlucky" in line["exception"]
        assert EMAIL not in log.text

    async def test_are_logged_without_data_of_the_response(self, build: Build, log: Log) -> None:
        async def lie() -> Thing:
            return {"size": SECRET}  # type: ignore[return-value]  # what the test is about

        async with client_of(build(module(("GET", "/lie", lie)), **DEPLOYED)) as client:
            await client.get(f"{PUBLIC}/lie")

        [line] = log.lines("unhandled_error")
        assert "ResponseValidationError: response.size: int_parsing" in line["exception"]
        assert SECRET not in log.text


class TestStandardLoggers:
    async def test_use_the_same_format(self, build: Build, log: Log) -> None:
        build(**DEPLOYED)
        say("uvicorn.error", "Started with %d", 3)

        [line] = log.lines()
        assert line["event"] == "Started with 3"
        assert line["logger"] == "uvicorn.error"
        assert line["level"] == "warning"

    async def test_are_logged_without_addresses(self, build: Build, log: Log) -> None:
        build(**DEPLOYED)
        say("some.library", "Mail to %s bounced", EMAIL)

        assert log.lines()[0]["event"] == "Mail to [email] bounced"

    async def test_of_the_access_log_of_the_server_are_silent(self, build: Build, log: Log) -> None:
        build(**DEPLOYED, LOG_LEVEL="DEBUG")
        logging.getLogger("uvicorn.access").error("192.0.2.1 GET /?token=1")
        logging.getLogger("uvicorn.error").error('%s - "WebSocket %s" [accepted]', "192.0.2.1", "/ws?token=1")
        logging.getLogger("uvicorn.error").debug("< GET %s HTTP/1.1", "/ws?token=1")

        assert log.lines() == []
        assert not logging.getLogger("uvicorn.access").hasHandlers()

    async def test_that_log_urls_are_quiet_below_warnings(self, build: Build, log: Log) -> None:
        build(**DEPLOYED)
        logging.getLogger("httpx").info("HTTP Request: GET https://example.com/?token=1")

        assert log.lines() == []

    async def test_are_configured_once(self, build: Build, log: Log) -> None:
        build(**DEPLOYED)
        build(**DEPLOYED)
        say("some.library", "once")

        assert len(log.lines()) == 1


class TestLocal:
    async def test_lines_are_human_readable(self, build: Build, capsys: pytest.CaptureFixture[str]) -> None:
        async with client_of(build(SMALL, ENVIRONMENT="local")) as client:
            await client.get(f"{PUBLIC}/things/42?token=1")

        line = capsys.readouterr().out
        assert "request" in line
        assert f"path={PUBLIC}/things/42 " in line
        assert "token" not in line


class TestControlCharacters:
    @pytest.mark.parametrize("where", ["production", "local"])
    async def test_of_a_path_are_escaped(self, build: Build, capsys: pytest.CaptureFixture[str], where: str) -> None:
        async with client_of(build(SMALL, ENVIRONMENT=where)) as client:
            await client.get(f"{PUBLIC}/things/%1b%5b2Jx%c2%9by%e2%80%aez")
        written = capsys.readouterr().out

        assert "things/" in written
        assert not any(character in written for character in "\x1b\x9b\u202e")

    @pytest.mark.parametrize("where", ["production", "local"])
    async def test_of_messages_and_errors_are_escaped(
        self, build: Build, capsys: pytest.CaptureFixture[str], where: str
    ) -> None:
        async with client_of(build(SMALL, ENVIRONMENT=where)):
            say("library", "a header: %s", "\x1b[2J")
            error = RuntimeError("\x1b[2J")
            logger.error("unhandled_error", path="/\x1b[2J", exc_info=error)
        written = capsys.readouterr().out

        assert "unhandled_error" in written
        assert "\x1b" not in written


class Unprintable:
    """A value of a library whose text fails."""

    def __repr__(self) -> str:
        raise ValueError("has no text")


class TestValuesThatJsonCannotRepresent:
    @pytest.mark.parametrize(
        "value",
        [["\ud800"], {"\udfff": 1}, b"\xff\xfe", Unprintable(), float("nan")],
        ids=["in a list", "as a key", "binary", "without text", "not a number"],
    )
    async def test_do_not_fail_the_code_that_logs_them(self, build: Build, log: Log, value: object) -> None:
        async with client_of(build(SMALL, **DEPLOYED)):
            logger.info("stored", value=value, size=3)

        [line] = log.lines("stored")
        assert (line["size"], line["level"]) == (3, "info")
        assert line["value"]

    async def test_in_an_error_leave_the_response_and_the_redaction_as_they_are(
        self, build: Build, capfd: pytest.CaptureFixture[str]
    ) -> None:
        async def refuse(body: dict[str, str]) -> None:
            raise ValueError(f"unknown name {body['name']} of {body['email']}")

        app = build(module(("POST", "/refuse", refuse)), **DEPLOYED)
        async with client_of(app) as client:
            body = rb'{"name": "\ud800", "email": "ann@example.com"}'
            json_type = {"Content-Type": "application/json"}
            answer = await client.post(f"{PUBLIC}/refuse", content=body, headers=json_type)
        written = capfd.readouterr()

        lines = [json.loads(line) for line in written.out.splitlines()]
        assert answer.status_code == 500
        assert [line["status"] for line in lines if line["event"] == "request"] == [500]
        assert "unknown name \\ud800 of [email]" in next(line["exception"] for line in lines if "exception" in line)
        assert "ann@example.com" not in written.out + written.err

    async def test_of_a_library_hide_its_arguments(self, build: Build, capfd: pytest.CaptureFixture[str]) -> None:
        async with client_of(build(SMALL, **DEPLOYED)):
            # Not by the logger: pytest's own handler would raise.
            record = logging.LogRecord(
                "library", logging.WARNING, "file.py", 7, "%d rows", ("of ann@example.com",), None
            )
            next(each for each in logging.getLogger().handlers if "observability" in type(each).__module__).emit(record)
        written = capfd.readouterr()

        [line] = [json.loads(line) for line in written.out.splitlines() if "log_line_failed" in line]
        assert (line["logger"], line["place"], line["error"]) == ("library", "file.py:7", "TypeError")
        assert "ann@example.com" not in written.out + written.err
