"""Patterns of channels, and what is published."""

from typing import Any
from uuid import uuid4

import pytest

from app.core.manifest import Channel, DeclaredChannels, Module
from app.core.ports.realtime import Everyone, NoRealtime, UserChannel
from app.core.runtime import Runtime
from app.kit.user_error import UserError
from app.realtime import publisher
from app.realtime.channels import Channels


async def nobody(*_: Any) -> bool:  # noqa: ANN401 - any user
    return False


def channel(pattern: str) -> Channel:
    return Channel(pattern=pattern, authorize=nobody)


@pytest.mark.parametrize(
    "pattern", ["", "user", "everyone", "Room:{id}", "room:{}", "room:{id", "room::a", "a:{x}:{x}"]
)
def test_malformed_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(UserError, match="pattern"):
        Channels([channel(pattern)])


def test_two_modules_cannot_declare_the_same_channel() -> None:
    with pytest.raises(ValueError, match="same channel"):
        DeclaredChannels.of([Module(name=name, channels=(channel("room:{id}"),)) for name in "ab"])


def test_parameters_are_found_and_never_contain_a_colon() -> None:
    found = Channels([channel("room:{id}:{part}")])

    assert found.find("room:1:top", uuid4()).parameters == {"id": "1", "part": "top"}  # type: ignore[union-attr]
    assert found.find("room:1:2:3", uuid4()) is None
    assert found.find(f"room:1:{'x' * 300}", uuid4()) is None


@pytest.mark.parametrize(
    ("event", "problem"),
    [({}, "type"), ({"type": ""}, "type"), ({"type": 1}, "type"), ({"type": "a", "x": object()}, "JSON")],
)
async def test_unusable_events_are_refused(runtime: Runtime, event: Any, problem: str) -> None:  # noqa: ANN401
    async with runtime.database.transaction() as session:
        with pytest.raises(ValueError, match=problem):
            await runtime.realtime.publish(session, Everyone(), event)


async def test_events_have_a_limited_size(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "MAX_EVENT_BYTES", 100)
    async with runtime.database.transaction() as session:
        with pytest.raises(ValueError, match="100 are allowed"):
            await runtime.realtime.publish(session, Everyone(), {"type": "x" * 100})


async def test_undeclared_channels_are_refused(runtime: Runtime) -> None:
    async with runtime.database.transaction() as session:
        with pytest.raises(LookupError, match="manifest"):
            await runtime.realtime.publish(session, "undeclared:1", {"type": "a"})


async def test_a_reading_session_publishes_nothing(runtime: Runtime) -> None:
    async with runtime.database.reading() as session:
        with pytest.raises(RuntimeError, match="only reads"):
            await runtime.realtime.publish(session, UserChannel(uuid4()), {"type": "a"})


async def test_without_connections_nothing_is_published(runtime: Runtime) -> None:
    async with runtime.database.transaction() as session:
        await NoRealtime().publish(session, "any", {})
        await NoRealtime().recheck(session, "any")
