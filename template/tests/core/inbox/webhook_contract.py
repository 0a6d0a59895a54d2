"""The contract of every inbound webhook: signature, deduplication, storage, rate limit, and 404 without a secret."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Protocol

import httpx
import pytest

from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.inbox.service import list_events, process_inbox_event
from app.core.runtime import Runtime


class Sign(Protocol):
    """A function that signs a body as the provider does."""

    def __call__(self, body: bytes, *, id_: str = "msg_1", at: datetime | None = None) -> dict[str, str]:
        """Return the request's headers. `at` is the time of signing; by default, now."""
        ...


@dataclass(frozen=True, kw_only=True)
class WebhookCase:
    """A webhook under test.

    Attributes:
        provider: as stored in the inbox.
        secret_setting: the setting without which the webhook responds with 404.
        event: makes a valid event.
        tampered: makes another valid event, which is sent with the signature of the first.
        withheld: texts of the event that must not be stored.
        tolerance: how far the time of signing may be off. `None` if the provider doesn't sign a time.
    """

    provider: str
    url: str
    secret_setting: str
    secret: str
    event: Callable[[], bytes]
    tampered: Callable[[], bytes]
    sign: Sign
    withheld: tuple[str, ...] = ()
    tolerance: timedelta | None = timedelta(minutes=5)

    async def send(self, client: httpx.AsyncClient, body: bytes, *, id_: str = "msg_1") -> httpx.Response:
        """Send a signed event."""
        return await client.post(self.url, content=body, headers=self.sign(body, id_=id_))


async def drain_inbox(runtime: Runtime, *, raises: bool = True) -> Sequence[InboxEvent]:
    """Process all events, and return the inbox.

    Args:
        raises: whether to raise the failures of jobs, which are in order while a provider is down.
    """
    await runtime.queue.drain(raises=raises)
    return await list_events(runtime)


class WebhookContract:
    """Subclass with a `case`: `class TestContract(WebhookContract): case = WebhookCase(…)`."""

    case: ClassVar[WebhookCase]

    @pytest.fixture
    def secret(self) -> str:
        """The webhook's secret. A test may override it by parametrization."""
        return self.case.secret

    @pytest.fixture(autouse=True)
    def webhook_secret(self, environment: None, monkeypatch: pytest.MonkeyPatch, secret: str) -> None:  # noqa: ARG002 - the order matters
        """Set the secret before the application reads its settings."""
        monkeypatch.setenv(self.case.secret_setting, secret)

    async def test_a_signed_event_is_stored_and_processed(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        response = await self.case.send(client, self.case.event())
        (stored,) = await drain_inbox(runtime)

        assert 200 <= response.status_code < 300
        assert (stored.provider, stored.status) == (self.case.provider, InboxStatus.DONE)

    async def test_private_data_is_not_stored(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        assert all(text in self.case.event().decode() for text in self.case.withheld)
        await self.case.send(client, self.case.event())
        (stored,) = await drain_inbox(runtime)

        assert not [text for text in self.case.withheld if text in json.dumps(stored.payload)]

    async def test_a_repeated_event_is_acknowledged_and_dropped(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        body = self.case.event()
        responses = [await self.case.send(client, body) for _ in range(3)]

        assert all(response.is_success for response in responses)
        assert len(await drain_inbox(runtime)) == 1

    async def test_twenty_concurrent_deliveries_are_one_event(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime
    ) -> None:
        body = self.case.event()
        responses = await asyncio.gather(*(self.case.send(live_client, body) for _ in range(20)))

        assert all(response.is_success for response in responses)
        assert len(await drain_inbox(live_runtime)) == 1

    async def test_an_event_that_was_stored_survives_a_crash(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await self.case.send(client, self.case.event())
        # The job is lost, as when the process is killed: the sweeper finds the event in the table.
        (stored,) = await list_events(runtime)
        await process_inbox_event(runtime, str(stored.id))
        (processed,) = await list_events(runtime)

        assert processed.status == InboxStatus.DONE

    async def test_a_tampered_body_is_rejected(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        headers = self.case.sign(self.case.event())
        await self.rejected(await client.post(self.case.url, content=self.case.tampered(), headers=headers), runtime)

    async def test_a_missing_signature_is_rejected(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await self.rejected(await client.post(self.case.url, content=self.case.event()), runtime)

    async def test_a_signature_without_its_parts_is_rejected(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        headers = self.case.sign(self.case.event())
        for name in headers:
            incomplete = {other: value for other, value in headers.items() if other != name}
            response = await client.post(self.case.url, content=self.case.event(), headers=incomplete)
            await self.rejected(response, runtime)

    @pytest.mark.parametrize("direction", [-1, 1], ids=["old", "from the future"])
    async def test_a_signature_of_another_time_is_rejected(
        self, client: httpx.AsyncClient, runtime: Runtime, direction: int
    ) -> None:
        if self.case.tolerance is not None:
            at = datetime.now(UTC) + direction * (self.case.tolerance + timedelta(minutes=1))
            headers = self.case.sign(self.case.event(), at=at)
            await self.rejected(await client.post(self.case.url, content=self.case.event(), headers=headers), runtime)

    async def test_a_burst_is_not_rate_limited(self, client: httpx.AsyncClient) -> None:
        response = await self.case.send(client, self.case.event())
        assert int(response.headers["X-RateLimit-Limit"]) >= 1000

    @pytest.mark.parametrize("secret", [""])
    async def test_without_a_secret_the_webhook_is_not_found(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        response = await self.case.send(client, self.case.event())

        assert (response.status_code, response.json()["error"]["code"]) == (404, "NOT_FOUND")
        assert await drain_inbox(runtime) == []

    async def rejected(self, response: httpx.Response, runtime: Runtime) -> None:
        """Assert that the request was rejected for its signature, and that nothing was stored."""
        assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_SIGNATURE")
        assert await drain_inbox(runtime) == []
