"""Fixtures of the storage tests."""

from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import httpx
import pytest
from sqlalchemy import select
from sqlmodel import col

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.storage.models import File
from app.storage.object_store import ObjectStore, get_object_store
from tests.conftest import SignIn
from tests.storage.requests import FileClient

MAX_UPLOAD = 8 * 1024 * 1024


def stored_in(folder: Path) -> list[Path]:
    """Return the files in the folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def key_of(runtime: Runtime, id_: str) -> str:
    """Return the key of a file."""
    async with runtime.database.reading() as session:
        return str(await session.scalar(select(col(File.key)).where(col(File.id) == UUID(id_))))


@pytest.fixture(autouse=True)
def own_folder(environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:  # noqa: ARG001 - the order matters
    """A local store for each test."""
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "files"))
    monkeypatch.setenv("MAX_UPLOAD_SIZE", str(MAX_UPLOAD))
    return tmp_path / "files"


@pytest.fixture
def storage(runtime: Runtime) -> ObjectStore:
    """The store of the application."""
    return get_object_store(runtime)


@pytest.fixture
def queue(runtime: Runtime) -> Queue:
    """The queue, whose jobs wait for `drain`."""
    return runtime.queue


@pytest.fixture
async def owner(sign_in: SignIn) -> dict[str, str]:
    """The headers of the files' owner."""
    return await sign_in(email="owner@example.com")


@pytest.fixture
async def stranger(sign_in: SignIn) -> dict[str, str]:
    """The headers of another user."""
    return await sign_in(email="stranger@example.com")


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    """A client for links to other servers."""
    async with httpx.AsyncClient(trust_env=False) as opened:
        yield opened


@pytest.fixture
def file_client(client: httpx.AsyncClient) -> FileClient:
    """The file API without a user. Links of the local store lead to the application itself."""
    return FileClient(api=client, web=client, headers={})


@pytest.fixture
def files(file_client: FileClient, owner: dict[str, str]) -> FileClient:
    """The owner's files, through the API."""
    return file_client.of(owner)
