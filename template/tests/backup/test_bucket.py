"""Backups in a bucket, and of files in a bucket."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from app.backup.context import BackupContext
from app.backup.create import create_backup
from app.backup.destination import BackupFile
from app.backup.encryption import IdentityFile, new_identity
from app.backup.errors import BackupError, DamagedError
from app.backup.portal import Portal
from app.backup.restore import restore_backup
from app.backup.retention import prune_backups
from app.backup.settings import BackupSettings
from app.backup.stage import Stage
from app.core.config.settings import Settings
from app.core.db.database import create_database
from app.core.lifecycle import create_runtime
from app.core.ports.file_stores import FileStores
from app.modules import MODULES
from app.storage.port import StorageUnavailableError
from tests.backup.conftest import rows
from tests.fakes.bucket_server import BucketServer
from tests.fakes.server import FakeServer, serving

KEY_ID, SECRET = "AKIAEXAMPLE", "very-secret-of-the-bucket"
LARGE = 17 * 1024 * 1024
"""More than a part of an upload."""


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[BucketServer, FakeServer]]:
    """The fake store."""
    server = BucketServer()
    server.keys[KEY_ID] = SECRET
    with serving(server.answer) as web:
        yield server, web


@pytest.fixture
def server(served: tuple[BucketServer, FakeServer]) -> Iterator[BucketServer]:
    """The fake store, which works again after each test."""
    yield served[0]
    served[0].is_down = False


@pytest.fixture
def context(
    source: str, served: tuple[BucketServer, FakeServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[BackupContext]:
    """The context of a command whose backups and files are in two buckets."""
    server, web = served
    files, backups = (f"bucket-{uuid4().hex}" for _ in range(2))
    for bucket in (files, backups):
        server.make_bucket(bucket, urlsplit(web.url).netloc)
    for name, value in {
        "STORAGE_PROVIDER": "s3",
        "AWS_S3_BUCKET": files,
        "AWS_ENDPOINT_URL": web.url,
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }.items():
        monkeypatch.setenv(name, value)
    identity, public = new_identity()
    (tmp_path / "key").write_text(identity)
    runtime = create_runtime(MODULES, database=create_database(Settings().with_database(source)))
    with Portal() as portal:
        yield BackupContext(
            project_name="Test",
            settings=BackupSettings(BACKUP_DIR=f"s3://{backups}/daily/test", BACKUP_AGE_RECIPIENT=public),
            stores=runtime.resource(FileStores),
            portal=portal,
            database_url=source,
        )


def put(context: BackupContext, key: str, content: bytes) -> None:
    """Store a file in the application's bucket."""

    async def chunks() -> AsyncIterator[bytes]:
        yield content

    assert context.stores is not None
    with context.portal.enter(context.stores.open()) as store:
        context.portal.call(store.upload(key, chunks(), content_type="text/plain"))


async def test_a_backup_goes_to_a_bucket_and_comes_back(context: BackupContext, empty: str, tmp_path: Path) -> None:
    put(context, "files/a", b"content")
    with context.destination(None) as destination:
        created = create_backup(context, destination, database_only=False)
        assert [each.name for each in destination.backups()] == [created.shown.rpartition("/")[2]]
    assert created.manifest.files is not None
    assert (created.manifest.files.copied, created.manifest.files.count) == (False, 1)

    target = replace(context, database_url=empty)
    for name in ("latest", created.shown):
        with target.backup(name) as backup:
            assert backup.verify_checksum()
            restored = restore_backup(
                target, backup, identity=IdentityFile(tmp_path / "key"), replace=name != "latest", database_only=False
            )
        assert restored.manifest == created.manifest
    assert await rows(empty) == await rows(context.database_url)


def test_a_large_backup_is_sent_in_parts_and_a_failed_one_is_not_visible(context: BackupContext) -> None:
    def fail(target: IO[bytes]) -> None:
        target.write(bytes(LARGE))
        raise BackupError("pg_dump failed.")

    with context.destination(None) as destination:
        with Stage(fail) as stage, pytest.raises(BackupError, match=r"pg_dump failed\."):
            destination.save("test-20261101T000000Z.tar", stage)
        assert destination.backups() == []
        with Stage(lambda target: target.write(bytes(LARGE))) as stage:
            assert destination.save("test-20261102T000000Z.tar", stage) == LARGE
        with destination.open("test-20261102T000000Z.tar") as file:
            assert file.read() == bytes(LARGE)


def test_old_backups_in_a_bucket_are_deleted(context: BackupContext) -> None:
    with context.destination(None) as destination:
        for day in (1, 2, 3):
            with Stage(lambda target: target.write(b"content")) as stage:
                destination.save(f"test-2026110{day}T000000Z.tar", stage)
        assert len(prune_backups(destination, daily=1, weekly=0).deleted) == 2
        (left,) = destination.backups()
        assert left.name == "test-20261103T000000Z.tar"
        assert destination.checksum("test-20261101T000000Z.tar") is None
        with Stage(lambda target: target.write(b"again")) as stage, pytest.raises(BackupError, match="exists already"):
            destination.save(left.name, stage)


def test_a_changed_object_is_found(context: BackupContext) -> None:
    name = "test-20261101T000000Z.tar"
    with context.destination(None) as destination:
        with Stage(lambda target: target.write(b"content")) as stage:
            destination.save(name, stage)
        destination.delete(name)
        with pytest.raises(BackupError, match="does not exist"), destination.open(name) as file:
            file.read()
        with Stage(lambda target: target.write(b"content")) as stage:
            destination.save(name, stage)
        backup = BackupFile.of(destination, name)
        assert backup.verify_checksum()
        changed = replace(backup, open=lambda: destination.open(f"{name}.sha256"))
        with pytest.raises(DamagedError):
            changed.verify_checksum()


def test_a_store_that_is_down_ends_the_backup(context: BackupContext, server: BucketServer) -> None:
    server.is_down = True
    with context.destination(None) as destination, pytest.raises(StorageUnavailableError):
        create_backup(context, destination, database_only=True)


def test_without_a_provider_with_the_protocol_there_are_no_buckets(context: BackupContext) -> None:
    without = replace(context, stores=None)
    with pytest.raises(BackupError, match="need a storage provider"), without.destination("s3://bucket/x"):
        pass
