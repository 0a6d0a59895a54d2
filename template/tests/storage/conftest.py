"""What the tests of storage have in common."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.core.ports.queue import Queue
from app.core.runtime import Runtime
from app.storage.service import StorageService, get_storage_service
from tests.conftest import SignIn
from tests.storage.requests import FileClient

MAX_UPLOAD = 8 * 1024 * 1024


def stored_in(folder: Path) -> list[Path]:
    """The files of the store."""
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture(autouse=True)
def own_folder(environment: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:  # noqa: ARG001 - the order matters
    """The folder of the local store, each test's own."""
    monkeypatch.setenv("STORAGE_LOCAL_PATH", str(tmp_path / "files"))
    monkeypatch.setenv("MAX_UPLOAD_SIZE", str(MAX_UPLOAD))
    return tmp_path / "files"


@pytest.fixture
def storage(runtime: Runtime) -> StorageService:
    """The store of the application."""
    return get_storage_service(runtime)


@pytest.fixture
def queue(runtime: Runtime) -> Queue:
    """The queue, whose jobs wait for `drain`."""
    return runtime.queue


@pytest.fixture
async def owner(sign_in: SignIn) -> dict[str, str]:
    """The headers of somebody who has files."""
    return await sign_in(email="owner@example.com")


@pytest.fixture
async def stranger(sign_in: SignIn) -> dict[str, str]:
    """The headers of somebody else."""
    return await sign_in(email="stranger@example.com")


@pytest.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    """A browser."""
    async with httpx.AsyncClient(trust_env=False) as opened:
        yield opened


@pytest.fixture
def file_client(client: httpx.AsyncClient) -> FileClient:
    """The file API, for nobody yet; the local store's links lead to the application itself."""
    return FileClient(api=client, web=client, headers={})


@pytest.fixture
def files(file_client: FileClient, owner: dict[str, str]) -> FileClient:
    """The owner's files, through the API."""
    return file_client.of(owner)
