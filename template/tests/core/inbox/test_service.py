"""The road of every inbound webhook, up to and including the handler."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncSession
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.db.models import utc_now
from app.core.errors import BadRequestError
from app.core.inbox import service as inbox
from app.core.inbox.models import InboxStatus
from app.core.inbox.service import (
    MAX_ATTEMPTS,
    UnusableEventError,
    list_events,
    process_inbox_event,
    receive,
    replay,
    replay_exhausted,
)
from app.core.lifecycle import create_runtime
from app.core.manifest import Module
from app.core.module import module as core
from app.core.ports.queue import Json
from app.core.runtime import Runtime
from tests.core.inbox.shop import (
    OpenShop,
    Shop,
    handle,
    make_tables,
    only_event,
    sell,
    shop_in_process,
    sold,
    tell,
)


@pytest.fixture
def open_shop() -> OpenShop:
    """Open the shop on a database; events wait for `drain`. Subclasses run the same tests with another queue."""
    return shop_in_process


@pytest.fixture
async def runtime(database: Database, open_shop: OpenShop) -> Runtime:
    """A runtime with the shop."""
    made = open_shop(database)
    await make_tables(made)
    return made


@pytest.fixture
def shop(runtime: Runtime) -> Shop:
    """The behaviour of the handler."""
    return runtime.resource(Shop)


class TestReceive:
    async def test_keeps_the_event_and_has_it_handled(self, runtime: Runtime) -> None:
        assert await tell(runtime) is True
        event = await only_event(runtime)
        assert (event.provider, event.event_id, event.payload) == ("shop", "1", {"name": "cup"})
        assert (event.status, event.attempts, event.processed_at) == (InboxStatus.PENDING, 0, None)

        await runtime.queue.drain()

        event = await only_event(runtime)
        assert (event.status, event.attempts, event.error) == (InboxStatus.DONE, 1, None)
        assert event.processed_at is not None
        assert await sold(runtime) == ["cup"]

    async def test_drops_a_duplicate(self, runtime: Runtime) -> None:
        await tell(runtime)
        await runtime.queue.drain()
        assert await tell(runtime, name="plate") is False
        await runtime.queue.drain()
        assert await sold(runtime) == ["cup"]

    async def test_takes_the_same_id_from_another_provider(self, runtime: Runtime) -> None:
        await tell(runtime)
        assert await receive(runtime, provider="other", event_id="1", payload={"name": "plate"}, handler=sell)

    async def test_keeps_the_payload_to_the_letter(self, runtime: Runtime) -> None:
        payload: dict[str, Json] = {"nul": "a\0b", "half": "\ud800", "list": [1, 2.5, None, True, {"ü": "ß"}], "": {}}
        await receive(runtime, provider="shop", event_id="1", payload=payload, handler=sell)
        assert (await only_event(runtime)).payload == payload

    @pytest.mark.parametrize("event_id", ["", "a" * 256, "a\0b", "a\nb"], ids=ascii)
    async def test_refuses_an_invalid_id(self, runtime: Runtime, event_id: str) -> None:
        with pytest.raises(BadRequestError, match="The event's id must be 1 to 255 printable characters"):
            await tell(runtime, event_id)

    @pytest.mark.parametrize("payload", [["a"], "a", None, {"a": float("nan")}, {"a": {1, 2}}], ids=repr)
    async def test_refuses_a_payload_that_is_not_a_json_object(self, runtime: Runtime, payload: Any) -> None:  # noqa: ANN401 - what is wrong
        with pytest.raises(BadRequestError, match="The event must be"):
            await receive(runtime, provider="shop", event_id="1", payload=payload, handler=sell)

    async def test_needs_a_handler_of_a_manifest(self, runtime: Runtime) -> None:
        async def stray(_runtime: Runtime, _session: AsyncSession, _payload: dict[str, Json]) -> None:
            """Is in no manifest."""

        with pytest.raises(LookupError, match="stray is in no module's `inbox_handlers` or `inbox_jobs`"):
            await receive(runtime, provider="shop", event_id="1", payload={}, handler=stray)


class TestFailure:
    async def test_rolls_back_the_handler_and_waits(self, runtime: Runtime, shop: Shop) -> None:
        shop.error = ConnectionError("no answer")
        before = utc_now()
        await tell(runtime)
        await runtime.queue.drain()

        event = await only_event(runtime)
        assert (event.status, event.attempts, event.error) == (InboxStatus.PENDING, 1, "ConnectionError: no answer")
        assert timedelta(seconds=9) < event.next_attempt_at - before < timedelta(seconds=20)
        assert await sold(runtime) == []

    async def test_is_not_retried_before_it_is_due(self, runtime: Runtime, shop: Shop) -> None:
        shop.error = LookupError()
        await tell(runtime)
        await runtime.queue.drain()
        shop.error = None
        await process_inbox_event(runtime, str((await only_event(runtime)).id))
        assert (await only_event(runtime)).attempts == 1

    async def test_is_tried_again_in_time(self, runtime: Runtime, shop: Shop) -> None:
        shop.error = LookupError()
        await tell(runtime)
        await handle(runtime)
        shop.error = None
        await handle(runtime)
        event = await only_event(runtime)
        assert (event.status, event.attempts, event.error) == (InboxStatus.DONE, 2, None)
        assert await sold(runtime) == ["cup"]

    async def test_is_final_after_the_last_attempt(self, runtime: Runtime, shop: Shop) -> None:
        shop.error = LookupError("nothing there")
        await tell(runtime)
        for _ in range(MAX_ATTEMPTS + 2):
            await handle(runtime)
        event = await only_event(runtime)
        assert (event.status, event.attempts) == (InboxStatus.FAILED, MAX_ATTEMPTS)
        assert event.error == "LookupError: nothing there"

    async def test_is_final_if_the_handler_says_so(self, runtime: Runtime, shop: Shop) -> None:
        shop.error = UnusableEventError("no such item")
        await tell(runtime)
        await handle(runtime)
        event = await only_event(runtime)
        assert (event.status, event.attempts) == (InboxStatus.FAILED, 1)

    async def test_of_a_handler_that_hangs_has_an_end(
        self, runtime: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbox, "HANDLER_TIMEOUT", timedelta(seconds=1))
        shop.hangs = True
        await tell(runtime)
        await handle(runtime)
        event = await only_event(runtime)
        assert (event.status, event.error) == (InboxStatus.PENDING, "TimeoutError")
        assert await sold(runtime) == []

    async def test_of_a_missing_handler_is_reported(self, runtime: Runtime, database: Database) -> None:
        await tell(runtime)
        other = create_runtime([core, Module(name="other")], database=database)
        await process_inbox_event(other, str((await only_event(runtime)).id))
        assert (await only_event(runtime)).error == (
            "LookupError: tests.sell is in no module's `inbox_handlers` or `inbox_jobs`; add it to the manifest."
        )

    async def test_does_not_quote_the_payload(self, runtime: Runtime, shop: Shop) -> None:
        class Sale(BaseModel):
            price: int

        with pytest.raises(ValueError, match="price") as caught:
            Sale.model_validate({"price": "sesame"})
        shop.error = caught.value
        await tell(runtime)
        await handle(runtime)
        error = (await only_event(runtime)).error
        assert error is not None
        assert error.startswith("ValidationError: price: Input should be a valid integer")
        assert "sesame" not in error

    async def test_of_the_database_does_not_quote_values(self, runtime: Runtime) -> None:
        await tell(runtime, name="sesame\0")
        await handle(runtime)
        event = await only_event(runtime)
        # One database keeps such a name and the other refuses it.
        assert event.error in {None, "DBAPIError: SQLSTATE 22021"}

    async def test_of_a_constraint_names_it(self, runtime: Runtime, shop: Shop) -> None:
        shop.sells_twice = True
        await tell(runtime)
        await handle(runtime)
        error = (await only_event(runtime)).error
        assert error is not None
        assert error.startswith("IntegrityError: ")
        assert "things" in error
        assert "\n" not in error


class TestReplay:
    async def test_resets_the_attempts_of_a_failed_event(self, runtime: Runtime, shop: Shop) -> None:
        shop.error = UnusableEventError("not yet")
        await tell(runtime)
        await handle(runtime)
        shop.error = None
        assert await replay(runtime, (await only_event(runtime)).id) is True
        event = await only_event(runtime)
        assert (event.status, event.attempts, event.error) == (InboxStatus.PENDING, 0, None)
        await runtime.queue.drain()
        assert (await only_event(runtime)).status == InboxStatus.DONE
        assert await sold(runtime) == ["cup"]

    async def test_of_exhausted_events_leaves_unusable_and_old_ones(
        self, runtime: Runtime, shop: Shop, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shop.error = ConnectionError("an outage")
        await tell(runtime)
        for _ in range(MAX_ATTEMPTS):
            await handle(runtime)
        provider = (await only_event(runtime)).provider
        assert await replay_exhausted(runtime, "another") == 0
        with monkeypatch.context() as patch:
            patch.setattr(inbox, "REPLAY_WINDOW", timedelta(days=-1))
            assert await replay_exhausted(runtime, provider) == 0
        shop.error = UnusableEventError("no such item")
        assert await replay_exhausted(runtime, provider) == 1
        await runtime.queue.drain()
        event = await only_event(runtime)
        assert (event.status, event.attempts) == (InboxStatus.FAILED, 1)
        assert await replay_exhausted(runtime, provider) == 0

    async def test_can_run_immediately(self, runtime: Runtime, shop: Shop) -> None:
        shop.error = UnusableEventError("not yet")
        await tell(runtime)
        await handle(runtime)
        shop.error = None
        assert await replay(runtime, (await only_event(runtime)).id, now=True) is True
        assert await sold(runtime) == ["cup"]

    async def test_ignores_events_that_have_not_failed(self, runtime: Runtime) -> None:
        await tell(runtime)
        await runtime.queue.drain()
        assert await replay(runtime, (await only_event(runtime)).id) is False
        assert await replay(runtime, uuid7()) is False


class TestListEvents:
    async def test_shows_the_newest_first(self, runtime: Runtime, shop: Shop) -> None:
        await tell(runtime, "1")
        await runtime.queue.drain()
        shop.error = UnusableEventError("no")
        await tell(runtime, "2")
        await runtime.queue.drain()
        assert [event.event_id for event in await list_events(runtime)] == ["2", "1"]
        assert [event.event_id for event in await list_events(runtime, limit=1)] == ["2"]
        assert [event.event_id for event in await list_events(runtime, status=InboxStatus.DONE)] == ["1"]


class TestAtOnce:
    @pytest.fixture
    async def live(self, live_runtime: Runtime, open_shop: OpenShop) -> Runtime:
        """A runtime with the shop, a pool and real commits."""
        made = open_shop(live_runtime.database)
        await make_tables(made)
        return made

    async def test_fifty_of_the_same_are_one_row_and_one_effect(self, live: Runtime) -> None:
        assert sum(await asyncio.gather(*(tell(live) for _ in range(50)))) == 1
        await live.queue.drain()
        assert (await only_event(live)).status == InboxStatus.DONE
        assert await sold(live) == ["cup"]

    async def test_concurrent_handlers_of_one_event_have_one_effect(self, live: Runtime) -> None:
        await tell(live)
        id_ = str((await only_event(live)).id)
        await asyncio.gather(*(process_inbox_event(live, id_) for _ in range(20)))
        assert (await only_event(live)).attempts == 1
        assert await sold(live) == ["cup"]

    async def test_only_the_process_that_took_over_has_an_effect(
        self, live: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(inbox, "LEASE", timedelta(0))
        await tell(live)
        id_ = str((await only_event(live)).id)
        await asyncio.gather(*(process_inbox_event(live, id_) for _ in range(8)))
        assert (await only_event(live)).status == InboxStatus.DONE
        assert await sold(live) == ["cup"]
