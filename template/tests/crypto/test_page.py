"""The examples of docs/crypto.md."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import insert, select
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.db.models import metadata
from app.core.errors import UnauthorizedError
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.core.module import module as core
from app.core.runtime import Runtime
from app.crypto.module import module as crypto
from app.kit.crypto.digests import DigestMismatchError, keyed_digest
from app.main import create_app
from app.users.models import User
from tests.conftest import make_client
from tests.core.applications import PUBLIC
from tests.pages import run_examples, undocumented

KEY = SecretStr("k" * 32)


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """The names of the page."""
    names: dict[str, Any] = {"__name__": "page"}
    assert run_examples("crypto.md", names) == 10
    # The other tests know nothing of the tables.
    for model in ("Integration", "Patient"):
        metadata.remove(names[model].__table__)
    return names


@pytest.fixture
async def runtime(database: Database) -> AsyncIterator[Runtime]:
    """A running runtime."""
    async with running(create_runtime((core, crypto), database=database), background=False) as started:
        yield started


def test_the_page_names_every_helper() -> None:
    assert set(undocumented("crypto.md", "app/kit/crypto")) == {"encryption"}  # its columns are documented


async def test_encrypted_column(examples: dict[str, Any], runtime: Runtime) -> None:
    model, owner = examples["Integration"], uuid7()
    row = model(owner_id=owner, token=SecretStr("hidden"), phone=SecretStr("+1"), phone_digest=keyed_digest(KEY, "+1"))
    async with runtime.database.transaction() as session:
        await (await session.connection()).run_sync(model.__table__.create)
        session.add(User(id=owner))
        await session.flush()
        session.add(row)
    async with runtime.database.reading() as session:
        found = await examples["find_by_phone"](session, KEY, "+1")
        assert (found.id, found.token.get_secret_value()) == (row.id, "hidden")
        assert await examples["find_by_phone"](session, KEY, "+2") is None


async def test_an_existing_column(examples: dict[str, Any], runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    model, table = examples["Patient"], examples["Patient"].__table__
    monkeypatch.setitem(examples, "BATCH", 2)
    rows = [{"id": uuid7(), "phone": phone} for phone in ("+1", None, "+2", "+3")]
    async with runtime.database.transaction() as session:
        await (await session.connection()).run_sync(table.create)
        await session.execute(insert(table), rows)
        # Changed by a process of the former release, which knows only the old column.
        changed = model(phone="+4", phone_encrypted=SecretStr("+0"))
        session.add(changed)

    assert [await examples["encrypt_phones"](runtime.database) for _ in range(2)] == [4, 4]

    async with runtime.database.transaction() as session:
        patients = (await session.scalars(select(model).order_by(model.id))).all()
        assert [patient.phone_encrypted for patient in patients] == [
            None if phone is None else SecretStr(phone) for phone in ("+1", None, "+2", "+3", "+4")
        ]
        examples["set_phone"](patients[0], None)
        await session.flush()
        assert (patients[0].phone, patients[0].phone_encrypted) == (None, None)


async def test_passwords(examples: dict[str, Any], runtime: Runtime) -> None:
    small = Module(name="small", public_router=examples["router"])
    async with make_client(create_app([core, crypto, small], runtime=runtime)) as client:
        right = {"name": "me", "password": "correct horse"}
        assert (await client.post(f"{PUBLIC}/register", json=right)).status_code == 204
        for body, status in ((right, 204), (right | {"password": "wrong horse"}, 401), (right | {"name": "you"}, 401)):
            assert (await client.post(f"{PUBLIC}/login", json=body)).status_code == status


async def test_api_keys(examples: dict[str, Any]) -> None:
    key = examples["create_api_key"]("me")

    assert await examples["key_owner"](key) == "me"
    with pytest.raises(UnauthorizedError):
        await examples["key_owner"](key[:-1])


def test_tokens(examples: dict[str, Any]) -> None:
    assert examples["accepts"](examples["invitation"])
    assert not examples["accepts"](examples["code"])


def test_webhooks(examples: dict[str, Any]) -> None:
    assert examples["is_valid"](b'{"paid": true}')
    assert not examples["is_valid"](b'{"paid": false}')


def test_derived_keys(examples: dict[str, Any], runtime: Runtime) -> None:
    one, other = (examples["link_signature"](runtime.settings, path) for path in ("/a", "/b"))
    assert len(one) == 64
    assert one != other


async def test_streams(examples: dict[str, Any]) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"abc"

    assert await examples["receive"](chunks(), hashlib.sha256(b"abc" * 3).hexdigest()) == 9
    with pytest.raises(DigestMismatchError):
        await examples["receive"](chunks(), "0" * 64)
