"""Clients that are slow, or send too much, cannot hold connections and memory. On real sockets."""

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from app.core.http.server.limits import ConnectionLimits
from app.core.http.server.protocol import LimitedConfig
from app.core.http.server.server import LimitedServer, bind
from app.core.http.server.state import is_draining

SHORT = 0.3
PATIENT = ConnectionLimits(keep_alive_timeout=60, header_timeout=60, body_timeout=60, write_timeout=60)
GET = b"GET / HTTP/1.1\r\nHost: test\r\n"

UPGRADE = (
    b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)

type Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Application:
    """Answers the size of a body, or more than any buffer holds; remembers the clients that left."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.reads_body = asyncio.Event()
        self.reads_body.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response: Response
        if scope["path"] == "/endless":
            response = StreamingResponse(endless())
        elif scope["path"] == "/draining":
            response = PlainTextResponse(str(is_draining(request)))
        elif scope["path"] == "/unread":
            response = PlainTextResponse("unread")
        elif scope["path"] == "/large":
            response = Response(b"x" * 10_000_000)
        else:
            await self.reads_body.wait()
            try:
                response = PlainTextResponse(str(len(await request.body())))
            except ClientDisconnect:
                self.left.set()
                return
        await response(scope, receive, send)
        if scope["path"] != "/":
            self.left.set()


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"x" * 100_000
        await asyncio.sleep(0)


class Server:
    """A running server."""

    def __init__(self, app: Application, server: LimitedServer, port: int) -> None:
        self.app = app
        self.server = server
        self.port = port
        self._writers: list[asyncio.StreamWriter] = []

    async def connect(self) -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        self._writers.append(writer)
        return reader, writer

    async def disconnect(self) -> None:
        """Close every connection."""
        for writer in self._writers:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def send(self, *parts: bytes) -> Connection:
        reader, writer = await self.connect()
        for part in parts:
            writer.write(part)
            with suppress(ConnectionError):
                # The server may have answered and closed the connection already.
                await writer.drain()
        return reader, writer


@asynccontextmanager
async def serving(limits: ConnectionLimits) -> AsyncIterator[Server]:
    app = Application()
    listener = bind("127.0.0.1", 0)
    listener.listen()
    port = listener.getsockname()[1]
    config = LimitedConfig(app, limits=limits, lifespan="off", log_config=None, timeout_graceful_shutdown=1)
    server = LimitedServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    running = Server(app, server, port)
    try:
        await eventually(lambda: server.started)
        yield running
    finally:
        await running.disconnect()
        server.should_exit = True
        await task


async def status_of(reader: asyncio.StreamReader) -> int:
    return int((await reader.readline()).split()[1])


async def error_of(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    """The status and the error of a refusal, after which the connection is closed."""
    head, _, body = (await asyncio.wait_for(reader.read(), 10)).partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)["error"]


async def closed(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(), 10) == b""
    except ConnectionResetError:
        return True


class TestHeaders:
    async def test_have_a_deadline(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT)) as server:
            reader, _ = await server.send(GET)
            status, error = await error_of(reader)

        assert status == 408
        assert error["code"] == "REQUEST_TIMEOUT"
        assert list(error) == ["code", "message", "details", "request_id"]

    async def test_that_arrive_one_by_one_do_not_extend_the_deadline(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT)) as server:
            reader, writer = await server.send(GET)
            drip = asyncio.create_task(drip_into(writer, b"X-Slow: 1\r\n"))
            with suppress(ConnectionResetError):
                # The answer is lost where the client still sends.
                await asyncio.wait_for(reader.read(), 10)
            drip.cancel()

    async def test_that_never_begin_end_the_connection(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT)) as server:
            reader, _ = await server.connect()

            assert await closed(reader)

    @pytest.mark.parametrize(
        "headers",
        [b"X-Large: " + b"x" * 5000 + b"\r\n\r\n", b"X-Endless: " + b"x" * 300_000, b"a: b\r\n" * 100 + b"\r\n"],
        ids=["large", "endless", "many"],
    )
    async def test_have_a_size(self, headers: bytes) -> None:
        async with serving(replace(PATIENT, max_header_size=4096)) as server:
            reader, _ = await server.send(GET, headers)
            assert await status_of(reader) == 431

    async def test_up_to_the_limit_are_accepted_with_the_body_that_follows(self) -> None:
        async with serving(replace(PATIENT, max_header_size=4096)) as server:
            large = b"X: " + b"x" * 3500 + b"\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
            reader, _ = await server.send(b"POST" + GET[3:] + large)
            assert await status_of(reader) == 200

    @pytest.mark.parametrize("end", [b"0\r\nX: " + b"x" * 300_000, b"1;x=" + b"x" * 300_000], ids=["trailer", "chunk"])
    async def test_cannot_follow_the_body_without_end(self, end: bytes) -> None:
        async with serving(replace(PATIENT, max_header_size=4096)) as server:
            reader, writer = await server.send(b"POST" + GET[3:] + b"Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
            writer.write(end)

            assert await status_of(reader) == 431

    async def test_that_are_not_http_are_refused_in_the_one_shape(self) -> None:
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

    async def test_is_required_of_each_request_of_a_connection(self) -> None:
        async with serving(PATIENT) as server:
            reader, writer = await server.send(GET + b"\r\n")
            assert await status_of(reader) == 200
            await reader.readuntil(b"\r\n\r\n0")
            writer.write(b"GET / HTTP/1.1\r\n\r\n")

            assert (await error_of(reader))[0] == 400

    async def test_may_be_absent_in_http_1_0_or_empty_and_may_have_a_port(self) -> None:
        hosts = (b"", b" test:8000", b" [::1]:8000", b" my_app.internal")
        starts = [b"GET / HTTP/1.0\r\n", *(b"GET / HTTP/1.1\r\nHost:%s\r\n" % host for host in hosts)]
        async with serving(PATIENT) as server:
            for start in starts:
                reader, _ = await server.send(start + b"\r\n")
                assert await status_of(reader) == 200, start


class TestHandshake:
    @pytest.mark.parametrize("method", [b"GET", b"POST"])
    async def test_a_malformed_one_is_refused_in_the_one_shape(self, method: bytes) -> None:
        key, version = b"dGhlIHNhbXBsZSBub25jZQ==", b"Version: 13"
        changes = {b"GET": [(key, b"short"), (key, b"x" * 24), (version, b"Version: 8"), (version, b"X: y")]}
        async with serving(PATIENT) as server:
            for old, new in changes.get(method, [(b"", b"")]):
                start = method + b" / HTTP/1.1\r\nHost: test\r\n"
                reader, _ = await server.send(start + UPGRADE.replace(old, new, 1) + b"\r\n")
                status, error = await error_of(reader)
                assert (status, error["code"]) == (400, "BAD_REQUEST"), new
                assert error["message"].startswith("A WebSocket's handshake")


class TestBodies:
    async def test_have_a_deadline(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            reader, _ = await server.send(b"POST" + GET[3:] + b"Content-Length: 10\r\n\r\nabc")

            assert (await error_of(reader))[0] == 408
            await asyncio.wait_for(server.app.left.wait(), 10)

    async def test_are_not_timed_while_the_application_does_not_read(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            server.app.reads_body.clear()
            size = 10_000_000
            reader, writer = await server.connect()
            writer.write(b"POST" + GET[3:] + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
            await asyncio.sleep(3 * SHORT)
            server.app.reads_body.set()
            await writer.drain()

            assert await status_of(reader) == 200

    async def test_that_stop_after_a_burst_have_no_time_left_over(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            reader, _ = await server.send(b"POST" + GET[3:] + b"Content-Length: 60001\r\n\r\n" + b"x" * 60_000)

            assert (await error_of(reader))[0] == 408

    async def test_end_the_connection_if_they_go_on_after_the_response(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            head = b"POST /unread HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
            reader, writer = await server.send(head)
            drip = asyncio.create_task(drip_into(writer, b"400\r\n" + b"x" * 1024 + b"\r\n"))
            answer = await asyncio.wait_for(reader.readuntil(b"unread"), 10)

            assert answer.startswith(b"HTTP/1.1 200")
            assert await closed(reader)
            drip.cancel()

    async def test_that_are_no_longer_needed_make_room_for_a_new_connection(self) -> None:
        async with serving(replace(PATIENT, max_connections=1)) as server:
            head = b"POST /unread HTTP/1.1\r\nHost: test\r\nContent-Length: 60001\r\n\r\n"
            first, _ = await server.send(head, b"x" * 60_000)
            await first.readuntil(b"unread")
            second, _ = await server.send(GET + b"\r\n")

            assert await closed(first)
            assert await status_of(second) == 200


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
    async def test_whose_handshake_is_malformed_are_refused(self, start: bytes, end: bytes) -> None:
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


class TestResponses:
    @pytest.mark.parametrize("path", [b"/endless", b"/large"])
    async def test_that_the_client_does_not_read_end_the_connection(self, path: bytes) -> None:
        async with serving(replace(PATIENT, write_timeout=SHORT)) as server:
            _, writer = await server.connect()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(GET.replace(b"/", path, 1) + b"\r\n")

            await asyncio.wait_for(server.app.left.wait(), 10)
            await eventually(lambda: not server.server.server_state.connections)

    async def test_that_the_client_reads_slowly_are_sent_in_full(self) -> None:
        async with serving(replace(PATIENT, write_timeout=3 * SHORT)) as server:
            reader, writer = await server.send(GET.replace(b"/", b"/large", 1) + b"Connection: close\r\n\r\n")
            received = 0
            while piece := await reader.read(500_000):
                received += len(piece)
                await asyncio.sleep(SHORT / 20)
            writer.close()

        assert received > 10_000_000

    async def test_are_not_interrupted_by_an_error_about_a_later_request(self) -> None:
        async with serving(PATIENT) as server:
            later = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n" + b"\x16\x03\x01\r\n\r\n"
            reader, _ = await server.send(GET.replace(b"/", b"/large", 1) + b"\r\n" + later)

            assert b" 400 " not in await asyncio.wait_for(reader.read(), 10)

    async def test_end_with_the_connection_if_another_request_is_queued(self) -> None:
        async with serving(PATIENT) as server:
            reader, writer = await server.send(GET.replace(b"/", b"/endless", 1) + b"\r\n" + GET + b"\r\n")
            await reader.readexactly(1000)
            writer.transport.abort()

            await asyncio.wait_for(server.app.left.wait(), 10)


class TestConnections:
    async def test_beyond_the_limit_replace_the_one_that_waits_longest(self) -> None:
        async with serving(replace(PATIENT, max_connections=2)) as server:
            first, _ = await server.send(GET)
            second, writer = await server.send(GET + b"\r\n")
            assert await status_of(second) == 200
            third, _ = await server.send(GET + b"\r\n")

            assert await closed(first)
            assert await status_of(third) == 200
            writer.write(GET + b"\r\n")
            await second.readuntil(b"0HTTP/1.1 200")

    async def test_beyond_the_limit_are_refused_where_all_others_are_busy(self) -> None:
        async with serving(replace(PATIENT, max_connections=1)) as server:
            server.app.reads_body.clear()
            busy, _ = await server.send(GET + b"\r\n")
            await eventually(lambda: bool(server.server.server_state.tasks))
            refused, _ = await server.connect()

            status, error = await error_of(refused)
            server.app.reads_body.set()
            assert (status, error["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert await status_of(busy) == 200

    async def test_are_kept_between_requests_for_as_long_as_is_set(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT, keep_alive_timeout=1)) as server:
            reader, writer = await server.send(GET + b"\r\n")
            await reader.readuntil(b"\r\n\r\n0")
            await asyncio.sleep(3 * SHORT)
            writer.write(GET + b"\r\n")
            await reader.readuntil(b"\r\n\r\n0")

            assert await closed(reader)


class TestDraining:
    async def test_serves_on_and_tells_the_application_until_the_delay_has_passed(self) -> None:
        async with serving(replace(PATIENT, drain_delay=60)) as server:
            server.server.handle_exit(signal.SIGTERM, None)
            reader, _ = await server.send(GET.replace(b"/", b"/draining", 1) + b"Connection: close\r\n\r\n")

            assert (await reader.read()).endswith(b"True")
            assert not server.server.should_exit
            server.server.handle_exit(signal.SIGTERM, None)
            assert server.server.should_exit

    async def test_ends_after_the_delay(self) -> None:
        async with serving(replace(PATIENT, drain_delay=SHORT)) as server:
            server.server.handle_exit(signal.SIGTERM, None)

            await eventually(lambda: server.server.should_exit)


async def eventually(condition: Callable[[], bool]) -> None:
    for _ in range(1000):
        if condition():
            return
        await asyncio.sleep(0.01)
    pytest.fail("It has not come true within ten seconds.")


async def drip_into(writer: asyncio.StreamWriter, part: bytes) -> None:
    while True:
        writer.write(part)
        await asyncio.sleep(SHORT / 5)
