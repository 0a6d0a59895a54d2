"""The limits of a user's files."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import update

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.storage.data_policy import LEVELS
from app.storage.models import File
from tests.conftest import ME, SignIn
from tests.core.metered import Metered
from tests.storage.requests import PNG, FileClient, code

BYTES = 3 * len(PNG)
PENDING = 4


@pytest.fixture(autouse=True)
def limits(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the order matters
    """Small limits."""
    monkeypatch.setenv("STORAGE_MAX_BYTES_PER_USER", str(BYTES))
    monkeypatch.setenv("STORAGE_MAX_PENDING_UPLOADS", str(PENDING))


async def test_stored_and_pending_bytes_count(files: FileClient, stranger: dict[str, str]) -> None:
    await files.store()
    await files.upload()
    refused = await files.ask(size=len(PNG) + 1)

    assert code(refused) == (413, "STORAGE_QUOTA_EXCEEDED")
    assert refused.json()["error"]["details"] == {"limit": BYTES, "used": 2 * len(PNG)}
    assert (await files.of(stranger).ask()).status_code == 201
    assert (await files.ask()).status_code == 201


async def test_deleting_a_file_makes_room(files: FileClient) -> None:
    id_ = await files.store()
    await files.store()
    await files.store()
    assert code(await files.ask()) == (413, "STORAGE_QUOTA_EXCEEDED")

    await files.delete(id_)

    assert (await files.ask()).status_code == 201


async def test_pending_uploads_count_until_they_are_confirmed_or_deleted(files: FileClient) -> None:
    ids = [(await files.ask(size=1)).json()["id"] for _ in range(PENDING)]
    refused = await files.ask(size=1)

    assert code(refused) == (429, "TOO_MANY_PENDING_UPLOADS")
    assert refused.json()["error"]["details"]["limit"] == PENDING
    assert 3500 < int(refused.headers["Retry-After"]) <= 3600

    await files.delete(ids[0])
    assert (await files.ask(size=1)).status_code == 201


async def test_expired_uploads_do_not_count(files: FileClient, runtime: Runtime) -> None:
    for _ in range(PENDING):
        await files.ask(size=1)
    async with runtime.database.transaction() as session:
        await session.execute(update(File).values(due_at=utc_now() - timedelta(seconds=1)))

    assert (await files.ask(size=1)).status_code == 201


async def test_the_plan_limits_the_size(files: FileClient, runtime: Runtime, client: httpx.AsyncClient) -> None:
    plan = runtime.plans = Metered("storage_mb", left=len(PNG))
    await files.store()
    refused = await files.ask(size=1)

    assert code(refused) == (402, "QUOTA_EXCEEDED")
    user_id = UUID((await client.get(ME, headers=files.headers)).json()["id"])
    assert plan.reserved == [(user_id, len(PNG))]
    async with runtime.database.reading() as session:
        assert [await session.scalar(level.measure(user_id)) for level in LEVELS] == [len(PNG)]


async def test_concurrent_requests_do_not_exceed_a_limit(live_client: httpx.AsyncClient, live_sign_in: SignIn) -> None:
    files = FileClient(api=live_client, web=live_client, headers=await live_sign_in(email="owner@example.com"))
    answers = await asyncio.gather(*(files.ask(size=1) for _ in range(3 * PENDING)))

    assert sorted(answer.status_code for answer in answers) == [201] * PENDING + [429] * (2 * PENDING)
