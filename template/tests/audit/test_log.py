"""Entries are written with the change, by many at once, and form chains."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import Executable, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError
from sqlmodel import col

from app.audit.models import CHAINS, AuditChain, AuditRecord
from app.core.db.models import utc_now
from app.core.ports.audit import AuditEntry, Change
from app.core.runtime import Runtime
from app.users.models import User
from tests.audit.conftest import entries, problems, record

ENTRY = AuditEntry(actor_id=None, action="thing.changed", target_type="thing", target_id="1")


class TestRecord:
    async def test_a_rollback_drops_the_entry(self, live_runtime: Runtime) -> None:
        with suppress(ZeroDivisionError):
            async with live_runtime.database.transaction() as session:
                await live_runtime.audit.record(session, ENTRY)
                raise ZeroDivisionError

        assert not await entries(live_runtime)

    async def test_a_rolled_back_savepoint_drops_its_own_entries_only(self, live_runtime: Runtime) -> None:
        async with live_runtime.database.transaction() as session:
            await live_runtime.audit.record(session, ENTRY)
            outer = await session.begin_nested()
            async with session.begin_nested():
                await live_runtime.audit.record(session, ENTRY)
            await outer.rollback()
            async with session.begin_nested():
                await live_runtime.audit.record(session, ENTRY)

        assert len(await entries(live_runtime)) == 2
        assert not await problems(live_runtime)

    async def test_an_error_of_the_log_undoes_the_change(
        self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.audit.log.link", lambda _previous, _entry: None)
        with suppress(DBAPIError):
            async with live_runtime.database.transaction() as session:
                session.add(User(email="someone@example.com"))
                await live_runtime.audit.record(session, ENTRY)

        async with live_runtime.database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(User)) == 0

    async def test_a_session_that_only_reads_is_refused(self, live_runtime: Runtime) -> None:
        async with live_runtime.database.reading() as session:
            with pytest.raises(RuntimeError, match="only reads"):
                await live_runtime.audit.record(session, ENTRY)

    @pytest.mark.parametrize("field", ["action", "target_type", "target_id"])
    @pytest.mark.parametrize("value", ["", "x" * 1000], ids=["empty", "long"])
    async def test_a_field_without_a_sensible_length_is_refused(
        self, live_runtime: Runtime, field: str, value: str
    ) -> None:
        entry = replace(ENTRY, **{field: value})  # type: ignore[arg-type]  # the fields are texts
        async with live_runtime.database.transaction() as session:
            with pytest.raises(ValueError, match=field):
                await live_runtime.audit.record(session, entry)

    async def test_secret_and_personal_values_are_redacted(self, live_runtime: Runtime) -> None:
        changes = {
            "role": Change("user", "admin"),
            "full_name": Change("Ada", None),
            "api_key": Change(None, "sk_1"),
            "note_by": Change("mail me@example.com", b"\x00"),
            "rules": Change({"percentage": 5, "email": "me@example.com"}, [uuid4(), 1.5, float("nan")]),
        }
        async with live_runtime.database.transaction() as session:
            await live_runtime.audit.record(
                session,
                AuditEntry(
                    actor_id=None,
                    action="a",
                    target_type="b",
                    target_id="c",
                    changes=changes,
                    details={"reason": "you@example.com\x00asked"},
                ),
            )
        (entry,) = await entries(live_runtime)

        assert entry.changes["role"] == ["user", "admin"]
        assert entry.changes["full_name"] == ["[redacted]", None]
        assert entry.changes["api_key"] == [None, "[redacted]"]
        assert "example.com" not in str(entry.changes)
        assert entry.details == {"reason": "[email] asked"}
        assert not await problems(live_runtime)


class TestChains:
    async def test_entries_of_one_transaction_follow_each_other(self, live_runtime: Runtime) -> None:
        await record(live_runtime, "first", "second", "third")
        found = await entries(live_runtime)

        assert [(entry.action, entry.sequence) for entry in found] == [("first", 1), ("second", 2), ("third", 3)]
        assert len({entry.chain for entry in found}) == 1

    async def test_a_hundred_writers_at_once_leave_complete_chains(self, live_runtime: Runtime) -> None:
        await asyncio.gather(*(record(live_runtime, f"action.{number}") for number in range(100)))

        assert len({entry.action for entry in await entries(live_runtime)}) == 100
        assert not await problems(live_runtime)

    async def test_a_transaction_that_is_still_open_delays_no_other(self, live_runtime: Runtime) -> None:
        async with live_runtime.database.transaction() as session:
            await live_runtime.audit.record(session, ENTRY)
            if live_runtime.database.engine.dialect.name == "postgresql":
                await asyncio.wait_for(record(live_runtime, *["other"] * 5), timeout=5)

        assert not await problems(live_runtime)

    async def test_a_locked_chain_is_left_alone(self, live_runtime: Runtime, one_chain: None) -> None:  # noqa: ARG002 - all would take this one
        if live_runtime.database.engine.dialect.name != "postgresql":
            return  # One transaction at a time.
        await record(live_runtime, "first")
        async with live_runtime.database.transaction() as session:
            await session.execute(select(AuditChain).where(col(AuditChain.chain) == 0).with_for_update())
            await asyncio.wait_for(record(live_runtime, "other"), timeout=5)

        assert [entry.chain for entry in await entries(live_runtime)] == [0, 1]

    async def test_if_all_chains_are_locked_a_writer_waits(self, live_runtime: Runtime) -> None:
        if live_runtime.database.engine.dialect.name != "postgresql":
            return  # One transaction at a time.
        await record(live_runtime, "first")
        async with live_runtime.database.transaction() as session:
            locked = await session.scalars(select(AuditChain).with_for_update())
            assert len(locked.all()) == CHAINS
            waiting = asyncio.create_task(record(live_runtime, "other"))
            await asyncio.wait({waiting}, timeout=0.2)
            assert not waiting.done()
        await waiting

        assert not await problems(live_runtime)


class TestTheDatabase:
    """It refuses changes, whatever the application does."""

    @pytest.mark.parametrize(
        "statement",
        [
            update(AuditRecord).values(action="other"),
            update(AuditRecord).values(client="other"),
            update(AuditRecord).values(client=None, user_agent=None, origin_salt=None, actor_id=uuid4()),
            delete(AuditRecord),
        ],
        ids=["change", "change of the client", "change with an erasure", "deletion"],
    )
    async def test_refuses(self, live_runtime: Runtime, statement: object) -> None:
        await record(live_runtime, "first")
        with pytest.raises(DBAPIError, match="final"):
            async with live_runtime.database.transaction() as session:
                await session.execute(statement)  # type: ignore[call-overload]  # any statement

        assert not await problems(live_runtime)

    @pytest.mark.parametrize(
        "statement",
        [
            update(AuditChain).values(sequence=col(AuditChain.sequence) - 1),
            update(AuditChain).values(trimmed_sequence=-1),
            update(AuditChain).values(chain=col(AuditChain.chain) + CHAINS),
            delete(AuditChain),
        ],
        ids=["earlier end", "earlier beginning", "other number", "deletion"],
    )
    async def test_chains_only_grow(self, live_runtime: Runtime, statement: object) -> None:
        await record(live_runtime, "first")
        with pytest.raises(DBAPIError, match="only grow"):
            async with live_runtime.database.transaction() as session:
                await session.execute(statement)  # type: ignore[call-overload]  # any statement

        assert not await problems(live_runtime)

    async def test_refuses_to_replace_an_entry(self, live_runtime: Runtime) -> None:
        await record(live_runtime, "first")
        (entry,) = await entries(live_runtime)
        row = entry.model_dump() | {"action": "other"}
        statement = insert(AuditRecord).values(row)
        if "sqlite" in live_runtime.database.engine.url.drivername:
            replacement: Executable = statement.prefix_with("OR REPLACE")
        else:
            replacement = (
                postgresql.insert(AuditRecord)
                .values(row)
                .on_conflict_do_update(index_elements=["id"], set_={"action": "other"})
            )
        with pytest.raises(DBAPIError, match="final"):
            async with live_runtime.database.transaction() as session:
                await session.execute(replacement)

        assert not await problems(live_runtime)

    async def test_deletes_entries_older_than_90_days(
        self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for days in (91, 89):
            then = utc_now() - timedelta(days=days)
            monkeypatch.setattr("app.audit.log.utc_now", lambda then=then: then)
            await record(live_runtime, f"days.{days}")
        async with live_runtime.database.transaction() as session:
            await session.execute(delete(AuditRecord).where(col(AuditRecord.action) == "days.91"))
        with pytest.raises(DBAPIError, match="final"):
            async with live_runtime.database.transaction() as session:
                await session.execute(delete(AuditRecord).where(col(AuditRecord.action) == "days.89"))
