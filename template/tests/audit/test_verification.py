"""A verification finds every kind of manipulation, retention and erasure are none, and keys can be rotated."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result
from pydantic import SecretStr
from sqlalchemy import select, update
from sqlmodel import col
from structlog.testing import capture_logs

from app.audit.commands import read_checkpoint
from app.audit.models import AuditChain
from app.audit.sealing import SealingKey, SealingKeys
from app.audit.verification import take_checkpoint, verify
from app.cli.main import cli
from app.core.data_policy.personal_data import erase_rows, export_user
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.models import utc_now
from app.core.lifecycle import create_runtime, running
from app.core.manifest import modules_of
from app.core.runtime import Runtime
from app.modules import MODULES
from tests.audit.conftest import entries, problems, record, tamper
from tests.databases import Databases

MANIPULATIONS = {
    "change": ["UPDATE audit_entries SET action = 'other' WHERE sequence = 2"],
    "change of the details": ['UPDATE audit_entries SET details = \'{"a": "b"}\' WHERE sequence = 2'],
    "change of the client": ["UPDATE audit_entries SET client = 'other' WHERE sequence = 2"],
    "change of an erased client": ["UPDATE audit_entries SET client = 'other', origin_salt = NULL WHERE sequence = 2"],
    "deletion": ["DELETE FROM audit_entries WHERE sequence = 2"],
    "deletion of the first": ["DELETE FROM audit_entries WHERE sequence = 1"],
    "deletion of the last": ["DELETE FROM audit_entries WHERE sequence = 3"],
    "deletion as if expired": [
        "DELETE FROM audit_entries WHERE sequence = 1",
        "UPDATE audit_chains SET trimmed_sequence = 1, trimmed_hash = (SELECT 'x') WHERE chain = 0",
    ],
    "swap": [
        "UPDATE audit_entries SET sequence = 9 WHERE sequence = 1",
        "UPDATE audit_entries SET sequence = 1 WHERE sequence = 2",
        "UPDATE audit_entries SET sequence = 2 WHERE sequence = 9",
    ],
    "other chain": ["UPDATE audit_entries SET chain = 1 WHERE sequence = 3"],
    "deletion of the chains": ["DELETE FROM audit_chains"],
    "earlier end": [
        "UPDATE audit_chains SET sequence = 1, hash = (SELECT hash FROM audit_entries WHERE sequence = 1)",
    ],
    "earlier beginning and end": ["UPDATE audit_chains SET sequence = 0, hash = trimmed_hash"],
    "other seal": ["UPDATE audit_entries SET seal = hash WHERE sequence = 2"],
    "seal that is not ASCII": ["UPDATE audit_entries SET seal = '\u00e4' WHERE sequence = 2"],
}


@pytest.mark.usefixtures("one_chain")
class TestVerify:
    @pytest.mark.parametrize("statements", list(MANIPULATIONS.values()), ids=list(MANIPULATIONS))
    async def test_finds(self, live_runtime: Runtime, statements: list[str]) -> None:
        await record(live_runtime, "first", "second", "third")
        assert not await problems(live_runtime)

        await tamper(live_runtime, *statements)

        assert await problems(live_runtime)

    async def test_finds_a_rewritten_chain_by_its_seals(self, live_runtime: Runtime) -> None:
        await record(live_runtime, "first", "second")
        stranger = SealingKeys((SealingKey(live_runtime.resource(SealingKeys).current.id, b"guessed"),))
        object.__setattr__(live_runtime.audit, "keys", stranger)
        await record(live_runtime, "invented")

        assert await problems(live_runtime) == ["chain 0: the application did not write entry 3"]

    async def test_a_removed_end_is_found_with_a_checkpoint(self, live_runtime: Runtime) -> None:
        await record(live_runtime, "first")
        (first,) = await entries(live_runtime)
        await record(live_runtime, "second")
        checkpoint = await take_checkpoint(live_runtime.database)
        await record(live_runtime, "third")
        keys = live_runtime.resource(SealingKeys)
        assert not any(report.problems for report in await verify(live_runtime.database, keys, checkpoint))

        await tamper(live_runtime, "DELETE FROM audit_entries WHERE sequence > 1")
        async with live_runtime.database.transaction() as session:
            await session.execute(
                update(AuditChain).values(sequence=1, hash=first.hash).where(col(AuditChain.chain) == 0)
            )

        assert not await problems(live_runtime)
        (report, *_) = await verify(live_runtime.database, keys, checkpoint)
        assert report.problems == ["chain 0: it ends at 1, but the checkpoint knows entry 2"]
        (*_, missing) = await verify(live_runtime.database, keys, checkpoint | {"99": (1, "")})
        assert missing.problems == ["chain 99: it is missing"]

    async def test_a_previous_key_is_accepted_and_an_unknown_one_is_counted(self, live_runtime: Runtime) -> None:
        await record(live_runtime, "first")
        old = live_runtime.settings.SECRET_KEY
        settings = live_runtime.settings.model_copy(update={"SECRET_KEY": SecretStr("n" * 32)})
        rotated = settings.model_copy(update={"SECRET_KEY_PREVIOUS": (old,)})

        for known, unknown in ((rotated, 0), (settings, 1)):
            (report, *_) = await verify(live_runtime.database, SealingKeys.of(known))
            assert (report.problems, report.unknown_keys) == ([], unknown)


@pytest.mark.usefixtures("one_chain")
class TestRetention:
    async def test_deletes_expired_entries_and_leaves_a_valid_chain(
        self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("app.core.data_policy.retention.BATCH", 2)
        for days, actions in ((400, ("a", "b", "c")), (10, ("d",))):
            then = utc_now() - timedelta(days=days)
            monkeypatch.setattr("app.audit.log.utc_now", lambda then=then: then)
            await record(live_runtime, *actions)
        monkeypatch.undo()

        assert (await cleanup_old_data(live_runtime))["audit_entries"] == 3
        assert (await cleanup_old_data(live_runtime))["audit_entries"] == 0
        assert [entry.action for entry in await entries(live_runtime)] == ["d"]
        assert not await problems(live_runtime)

    async def test_a_chain_may_become_empty_and_go_on(
        self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        then = utc_now() - timedelta(days=400)
        with monkeypatch.context() as patch:
            patch.setattr("app.audit.log.utc_now", lambda: then)
            await record(live_runtime, "old")
        await cleanup_old_data(live_runtime)
        assert not await problems(live_runtime)
        await record(live_runtime, "new")

        assert [entry.sequence for entry in await entries(live_runtime)] == [2]
        assert not await problems(live_runtime)

    async def test_seals_with_the_current_key(self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
        then = utc_now() - timedelta(days=400)
        with monkeypatch.context() as patch:
            patch.setattr("app.audit.log.utc_now", lambda: then)
            await record(live_runtime, "old")
        await cleanup_old_data(live_runtime)
        keys = live_runtime.resource(SealingKeys)
        new = SealingKey("new", b"new")
        live_runtime.provide(SealingKeys, SealingKeys((new, *keys.keys)))
        await cleanup_old_data(live_runtime)

        async with live_runtime.database.reading() as session:
            (chain,) = await session.scalars(select(AuditChain).where(col(AuditChain.chain) == 0))
        assert SealingKeys((new,)).accept(chain.trimmed_seal, chain.trimmed)

    @pytest.mark.parametrize(
        "statements",
        [
            ["UPDATE audit_entries SET created_at = '2020-01-01 00:00:00+00:00' WHERE sequence <= 2"],
            ["UPDATE audit_entries SET action = 'other' WHERE sequence = 1"],
            ["UPDATE audit_entries SET seal = hash WHERE sequence = 1"],
            ["DELETE FROM audit_entries WHERE sequence = 1"],
            [
                "UPDATE audit_chains SET trimmed_hash = (SELECT hash FROM audit_entries WHERE sequence = 1)",
                "UPDATE audit_chains SET trimmed_sequence = 1 WHERE chain = 0",
                "DELETE FROM audit_entries WHERE sequence = 1",
            ],
        ],
        ids=["a forged time", "a change", "a forged seal", "a deletion", "a forged beginning"],
    )
    async def test_hides_no_manipulation(
        self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch, statements: list[str]
    ) -> None:
        for days, actions in ((400, ("a", "b")), (10, ("c",))):
            then = utc_now() - timedelta(days=days)
            with monkeypatch.context() as patch:
                patch.setattr("app.audit.log.utc_now", lambda then=then: then)
                await record(live_runtime, *actions)
        await tamper(live_runtime, *statements)
        found = await problems(live_runtime)
        assert found

        with capture_logs() as logs:
            assert (await cleanup_old_data(live_runtime))["audit_entries"] == 0

        assert await problems(live_runtime) == found
        (line,) = (line for line in logs if line["event"] == "audit_chain_broken")
        assert (line["log_level"], line["chain"]) == ("error", 0)

    async def test_an_entry_invented_before_the_beginning_is_found(
        self, live_runtime: Runtime, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        then = utc_now() - timedelta(days=400)
        with monkeypatch.context() as patch:
            patch.setattr("app.audit.log.utc_now", lambda: then)
            await record(live_runtime, "old")
        await cleanup_old_data(live_runtime)
        await record(live_runtime, "new")

        await tamper(
            live_runtime,
            "UPDATE audit_entries SET sequence = 1",
            "UPDATE audit_chains SET sequence = 1, hash = trimmed_hash WHERE chain = 0",
        )

        assert await problems(live_runtime) == ["chain 0: entry 1 is not part of it; there may be more of them"]

    async def test_logs_a_checkpoint(self, live_runtime: Runtime, tmp_path: Path) -> None:
        await record(live_runtime, "first", "second")

        with capture_logs() as logs:
            await cleanup_old_data(live_runtime)

        (line,) = (line for line in logs if line["event"] == "audit_checkpoint")
        stored = tmp_path / "checkpoint.json"
        stored.write_text(line["checkpoint"])
        assert read_checkpoint(stored) == await take_checkpoint(live_runtime.database)


class TestErasure:
    async def test_removes_client_and_user_agent_and_leaves_a_valid_chain(self, live_runtime: Runtime) -> None:
        erased, other = uuid4(), uuid4()
        await record(live_runtime, "one", actor_id=erased)
        await record(live_runtime, "two", actor_id=other)
        (module,) = (module for module in modules_of(live_runtime) if module.name == "audit")
        async with live_runtime.database.transaction() as session:
            await erase_rows(live_runtime, session, module, erased)

        found = {entry.action: entry for entry in await entries(live_runtime)}
        assert (found["one"].actor_id, found["one"].client, found["one"].origin_salt) == (erased, None, None)
        assert found["two"].client == "c" * 16
        assert not await problems(live_runtime)

    async def test_an_export_has_the_entries_of_the_user(self, live_runtime: Runtime) -> None:
        user_id = uuid4()
        await record(live_runtime, "one", actor_id=user_id)
        await record(live_runtime, "two", actor_id=uuid4())
        exported = json.loads(b"".join([chunk async for chunk in export_user(live_runtime, user_id)]))

        (entry,) = exported["tables"]["audit_entries"]
        assert entry["action"] == "one"
        assert "hash" not in entry


class TestCommands:
    @pytest.fixture
    async def own_runtime(self, databases: Databases, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Runtime]:
        async with databases.fresh() as url:
            monkeypatch.setenv("DATABASE_URL", url)
            async with running(create_runtime(MODULES), background=False) as started:
                yield started

    async def run(self, *arguments: str) -> Result:
        return await asyncio.to_thread(CliRunner().invoke, cli, ["audit", *arguments])

    async def test_verify_reports_success_and_failure(self, own_runtime: Runtime) -> None:
        await record(own_runtime, "first", "second")
        result = await self.run("verify")
        assert (result.exit_code, result.output) == (0, "2 entries in 8 chains are complete and unchanged.\n")

        await tamper(own_runtime, "UPDATE audit_entries SET action = 'x' WHERE sequence = 1")
        result = await self.run("verify")
        assert result.exit_code == 1
        assert "entry 1 or its predecessor was changed" in result.output

    async def test_a_checkpoint_is_verified(self, own_runtime: Runtime, tmp_path: Path) -> None:
        await record(own_runtime, "first")
        file = tmp_path / "checkpoint.json"
        file.write_text((await self.run("checkpoint")).output, encoding="utf-8")
        assert (await self.run("verify", "--checkpoint", str(file))).exit_code == 0

        file.write_text("nonsense", encoding="utf-8")
        result = await self.run("verify", "--checkpoint", str(file))
        assert (result.exit_code, "is not the output of" in result.output) == (1, True)

    async def test_export_prints_every_entry(self, own_runtime: Runtime) -> None:
        await record(own_runtime, "first", "=second")
        lines = (await self.run("export")).output.splitlines()
        assert [json.loads(line)["action"] for line in lines] == ["=second", "first"]
        lines = (await self.run("export", "--format", "csv")).output.splitlines()
        assert [line.split(",")[4] for line in lines] == ["action", "'=second", "first"]
