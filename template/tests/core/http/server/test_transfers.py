"""Limits of bodies and responses: slow clients cannot hold connections and memory."""

import asyncio
from dataclasses import replace

import pytest

from tests.core.http.server.limited_server import (
    GET,
    PATIENT,
    SHORT,
    closed,
    drip_into,
    error_of,
    eventually,
    serving,
    status_of,
)


class TestBodies:
    async def test_have_a_deadline(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            reader, _ = await server.send(b"POST" + GET[3:] + b"Content-Length: 10\r\n\r\nabc")

            assert (await error_of(reader))[0] == 408
            await asyncio.wait_for(server.app.left.wait(), 10)

    async def test_have_no_deadline_while_the_application_does_not_read(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            server.app.reads_body.clear()
            size = 10_000_000
            reader, writer = await server.connect()
            writer.write(b"POST" + GET[3:] + b"Content-Length: %d\r\n\r\n" % size + b"x" * size)
            await asyncio.sleep(3 * SHORT)
            server.app.reads_body.set()
            await writer.drain()

            assert await status_of(reader) == 200

    async def test_that_stop_after_a_burst_have_the_same_deadline(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            reader, _ = await server.send(b"POST" + GET[3:] + b"Content-Length: 60001\r\n\r\n" + b"x" * 60_000)

            assert (await error_of(reader))[0] == 408

    async def test_that_continue_after_the_response_end_the_connection(self) -> None:
        async with serving(replace(PATIENT, body_timeout=SHORT)) as server:
            head = b"POST /unread HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n"
            reader, writer = await server.send(head)
            drip = asyncio.create_task(drip_into(writer, b"400\r\n" + b"x" * 1024 + b"\r\n"))
            answer = await asyncio.wait_for(reader.readuntil(b"unread"), 10)

            assert answer.startswith(b"HTTP/1.1 200")
            assert await closed(reader)
            drip.cancel()

    async def test_that_are_no_longer_needed_are_replaced_by_a_new_connection(self) -> None:
        async with serving(replace(PATIENT, max_connections=1)) as server:
            head = b"POST /unread HTTP/1.1\r\nHost: test\r\nContent-Length: 60001\r\n\r\n"
            first, _ = await server.send(head, b"x" * 60_000)
            await first.readuntil(b"unread")
            second, _ = await server.send(GET + b"\r\n")

            assert await closed(first)
            assert await status_of(second) == 200


class TestResponses:
    @pytest.mark.parametrize("path", [b"/endless", b"/large"])
    async def test_that_are_not_read_end_the_connection(self, path: bytes) -> None:
        async with serving(replace(PATIENT, write_timeout=SHORT)) as server:
            _, writer = await server.connect()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(GET.replace(b"/", path, 1) + b"\r\n")

            await asyncio.wait_for(server.app.left.wait(), 10)
            await eventually(lambda: not server.server.server_state.connections)

    async def test_that_are_read_slowly_are_sent_in_full(self) -> None:
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
