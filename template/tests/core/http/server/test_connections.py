"""Limits of connections, and shutting down."""

import asyncio
import signal
from dataclasses import replace

from tests.core.http.server.limited_server import (
    GET,
    PATIENT,
    SHORT,
    closed,
    error_of,
    eventually,
    serving,
    status_of,
)


class TestConnections:
    async def test_beyond_the_limit_replace_the_longest_idle_one(self) -> None:
        async with serving(replace(PATIENT, max_connections=2)) as server:
            first, _ = await server.send(GET)
            second, writer = await server.send(GET + b"\r\n")
            assert await status_of(second) == 200
            third, _ = await server.send(GET + b"\r\n")

            assert await closed(first)
            assert await status_of(third) == 200
            writer.write(GET + b"\r\n")
            await second.readuntil(b"0HTTP/1.1 200")

    async def test_beyond_the_limit_are_refused_if_all_others_are_busy(self) -> None:
        async with serving(replace(PATIENT, max_connections=1)) as server:
            server.app.reads_body.clear()
            busy, _ = await server.send(GET + b"\r\n")
            await eventually(lambda: bool(server.server.server_state.tasks))
            refused, _ = await server.connect()

            status, error = await error_of(refused)
            server.app.reads_body.set()
            assert (status, error["code"]) == (503, "SERVICE_UNAVAILABLE")
            assert await status_of(busy) == 200

    async def test_are_kept_between_requests_until_the_keep_alive_timeout(self) -> None:
        async with serving(replace(PATIENT, header_timeout=SHORT, keep_alive_timeout=1)) as server:
            reader, writer = await server.send(GET + b"\r\n")
            await reader.readuntil(b"\r\n\r\n0")
            await asyncio.sleep(3 * SHORT)
            writer.write(GET + b"\r\n")
            await reader.readuntil(b"\r\n\r\n0")

            assert await closed(reader)

    async def test_serve_a_request_that_arrives_with_the_rest_of_a_body_answered_early(self) -> None:
        async with serving(PATIENT) as server:
            early = GET.replace(b"GET /", b"POST /unread", 1) + b"Content-Length: 4\r\n\r\n12"
            reader, writer = await server.send(early)
            await asyncio.wait_for(reader.readuntil(b"unread"), 10)
            writer.write(b"34" + GET + b"\r\n")
            assert await asyncio.wait_for(status_of(reader), 10) == 200


class TestDraining:
    async def test_keeps_serving_until_the_delay_has_passed(self) -> None:
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
