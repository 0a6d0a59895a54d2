"""A disk without space."""

import os
from collections.abc import AsyncIterator
from io import FileIO
from pathlib import Path

import httpx
import pytest

from app.core.runtime import Runtime
from app.storage.object_store import ObjectStore
from app.storage.port import StorageFullError
from app.storage.providers.local_disk import LocalDisk
from app.storage.providers.local_links import LinkSigner
from app.storage.providers.local_storage import LocalStorage
from tests.storage.conftest import stored_in
from tests.storage.contract import KEY
from tests.storage.requests import PNG, FileClient, code, send

FULL = Path("/dev/full")
HAS_FULL_DEVICE = FULL.exists()
READY = "/api/v1/public/health/ready"


class FullDisk(LocalDisk):
    """A disk whose writes fail as on a full one, if the system has a device for that."""

    def open_partial(self) -> FileIO:
        partial = super().open_partial()
        if HAS_FULL_DEVICE:
            full = os.open(FULL, os.O_WRONLY)
            os.dup2(full, partial.fileno())
            os.close(full)
        return partial


@pytest.mark.parametrize("size", [1, 4000, 300_000, 1_000_000])
async def test_a_failed_write_leaves_no_file(runtime: Runtime, tmp_path: Path, size: int) -> None:
    storage = LocalStorage(FullDisk(tmp_path / "full"), LinkSigner(runtime.settings.secret_keys), "http://testserver")

    async def chunks() -> AsyncIterator[bytes]:
        yield b"x" * size

    if HAS_FULL_DEVICE:
        with pytest.raises(StorageFullError):
            await storage.receive(KEY, chunks())
        assert stored_in(tmp_path / "full") == []


class TestLowSpace:
    @pytest.fixture(autouse=True)
    def low_space(self, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG002 - the order matters
        """Demand more free space than any disk has."""
        monkeypatch.setenv("STORAGE_PROVIDER", "local")
        monkeypatch.setenv("STORAGE_LOCAL_MIN_FREE", str(2**62))

    async def test_uploads_are_refused(self, files: FileClient, own_folder: Path) -> None:
        upload = (await files.ask()).json()

        assert code(await send(files.web, upload, PNG)) == (507, "STORAGE_FULL")
        assert stored_in(own_folder) == []

    async def test_other_modules_get_an_error(self, storage: ObjectStore) -> None:
        with pytest.raises(StorageFullError):
            await storage.upload(KEY, PNG, content_type="image/png")

    async def test_readiness_is_degraded(self, client: httpx.AsyncClient) -> None:
        answer = await client.get(READY)

        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        assert "storage" in answer.json()["degraded"]


async def test_readiness_is_fine_with_enough_space(client: httpx.AsyncClient) -> None:
    assert "storage" not in (await client.get(READY)).json()["degraded"]
