"""Limits and checks of request headers and of handshakes."""

import asyncio
from contextlib import suppress
from dataclasses import replace

import pytest

from tests.core.http.server.limited_server import (
    GET,
    PATIENT,
    SHORT,
    UPGRADE,
    closed,
    drip_into,
    error_of,
    eventually,
    serving,
    status_of,
)


class TestHeaders:
    async def test_have_a_deadline(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT)) as server:
            reader, _ = await server.send(GET)
            status, error = await error_of(reader)

        assert status == 408
        assert error["code"] == "REQUEST_TIMEOUT"
        assert list(error) == ["code", "message", "details", "request_id"]

    async def test_that_arrive_slowly_do_not_extend_the_deadline(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT)) as server:
            reader, writer = await server.send(GET)
            drip = asyncio.create_task(drip_into(writer, b"X-Slow: 1\r\n"))
            with suppress(ConnectionResetError):
                # The answer is lost where the client still sends.
                await asyncio.wait_for(reader.read(), 10)
            drip.cancel()

    async def test_that_never_arrive_end_the_connection(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT)) as server:
            reader, _ = await server.connect()

            assert await closed(reader)

    @pytest.mark.parametrize(
        "headers",
        [b"X-Large: " + b"x" * 5000 + b"\r\n\r\n", b"X-Endless: " + b"x" * 300_000, b"a: b\r\n" * 100 + b"\r\n"],
        ids=["large", "endless", "many"],
    )
    async def test_have_a_maximum_size(self, headers: bytes) -> None:
        async with serving(replace(PATIENT, max_header_size=4096)) as server:
            reader, _ = await server.send(GET, headers)
            assert await status_of(reader) == 431

    async def test_up_to_the_limit_are_accepted_with_a_body(self) -> None:
        async with serving(replace(PATIENT, max_header_size=4096)) as server:
            large = b"X: " + b"x" * 3500 + b"\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
            reader, _ = await server.send(b"POST" + GET[3:] + large)
            assert await status_of(reader) == 200

    @pytest.mark.parametrize("end", [b"0\r\nX: " + b"x" * 300_000, b"1;x=" + b"x" * 300_000], ids=["trailer", "chunk"])
    async def test_after_the_body_have_a_maximum_size(self, end: bytes) -> None:
        async with serving(replace(PATIENT, max_header_size=4096)) as server:
            reader, writer = await server.send(b"POST" + GET[3:] + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            writer.write(end)

            assert await status_of(reader) == 431

    async def test_that_are_not_http_are_refused_with_an_error(self) -> None:
        async with serving(PATIENT) as server:
            reader, _ = await server.send(b"\x16\x03\x01 hello\r\n\r\n")

            assert (await error_of(reader))[1]["code"] == "BAD_REQUEST"


HOSTS = {
    "none": b"",
    "two": b"Host: test\r\nHost: test\r\n",
    "two in other cases": b"Host: test\r\nX: y\r\nhOST: other\r\n",
    "a URL": b"Host: http://test\r\n",
    "a path": b"Host: test/x\r\n",
    "a user": b"Host: me@test\r\n",
    "a space": b"Host: te st\r\n",
    "a list": b"Host: [test]\r\n",
    "a name for a port": b"Host: test:http\r\n",
    "bytes": b"Host: t\xe9st\r\n",
}


class TestHost:
    async def test_is_required_once(self) -> None:
        # One server for all: starting it takes longer than the requests.
        async with serving(PATIENT) as server:
            for name, headers in HOSTS.items():
                for upgrade in (b"", UPGRADE):
                    reader, _ = await server.send(b"GET / HTTP/1.1\r\n" + headers + upgrade + b"\r\n")
                    status, error = await error_of(reader)
                    assert (status, error["code"]) == (400, "BAD_REQUEST"), name
                    assert error["message"] == "A request must have exactly one valid Host header.", name

    async def test_is_required_in_each_request_of_a_connection(self) -> None:
        async with serving(PATIENT) as server:
            reader, writer = await server.send(GET + b"\r\n")
            assert await status_of(reader) == 200
            await reader.readuntil(b"\r\n\r\n0")
            writer.write(b"GET / HTTP/1.1\r\n\r\n")

            assert (await error_of(reader))[0] == 400

    async def test_is_optional_in_http_1_0_and_can_be_empty_or_have_a_port(self) -> None:
        hosts = (b"", b" test:8000", b" [::1]:8000", b" my_app.internal")
        starts = [b"GET / HTTP/1.0\r\n", *(b"GET / HTTP/1.1\r\nHost:%s\r\n" % host for host in hosts)]
        async with serving(PATIENT) as server:
            for start in starts:
                reader, _ = await server.send(start + b"\r\n")
                assert await status_of(reader) == 200, start


class TestHandshake:
    @pytest.mark.parametrize("method", [b"GET", b"POST"])
    async def test_a_malformed_one_is_refused_with_an_error(self, method: bytes) -> None:
        key, version = b"dGhlIHNhbXBsZSBub25jZQ==", b"Version: 13"
        changes = {b"GET": [(key, b"short"), (key, b"x" * 24), (version, b"Version: 8"), (version, b"X: y")]}
        async with serving(PATIENT) as server:
            for old, new in changes.get(method, [(b"", b"")]):
                start = method + b" / HTTP/1.1\r\nHost: test\r\n"
                reader, _ = await server.send(start + UPGRADE.replace(old, new, 1) + b"\r\n")
                status, error = await error_of(reader)
                assert (status, error["code"]) == (400, "BAD_REQUEST"), new
                assert error["message"].startswith("A WebSocket's handshake")


class TestWebSockets:
    @pytest.mark.parametrize(
        ("start", "end"),
        [
            (b"GET / HTTP/1.1", b"Content-Length: 5\r\n\r\nhello"),
            (b"GET / HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            (b"GET / HTTP/1.1", b"X-Long: " + b"x" * 10_000 + b"\r\n\r\n"),
        ],
        ids=["length", "chunked", "line"],
    )
    async def test_with_a_malformed_handshake_are_refused(self, start: bytes, end: bytes) -> None:
        async with serving(PATIENT) as server:
            reader, _ = await server.send(start + b"\r\nHost: test\r\n" + UPGRADE + end)

            assert (await error_of(reader))[0] == 400
            await eventually(lambda: not server.server.server_state.connections)

    async def test_cannot_interrupt_a_response(self) -> None:
        async with serving(PATIENT) as server:
            server.app.reads_body.clear()
            reader, _ = await server.send(GET + b"\r\n" + GET + UPGRADE + b"\r\n")

            assert (await error_of(reader))[0] == 400
            server.app.reads_body.set()
