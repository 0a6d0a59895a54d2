"""Memory does not grow with the backup: a large file is backed up and verified in a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Final

SIZE: Final = 64 * 1024 * 1024
LIMIT: Final = 48 * 1024
"""KiB of memory that the process may need beyond what it has after its imports."""
SCRIPT: Final = """
import io, resource, sys
import tests
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from app.backup.archive import ContentDigest
from app.backup.archive_reader import Discard
from app.backup.archive_writer import ArchiveWriter
from app.backup.destination import BackupFile
from app.backup.encryption import IdentityFile, encrypted, new_identity, recipient
from app.backup.folder import Folder
from app.backup.manifest import DatabaseContents, FileContents, Manifest
from app.backup.stage import Stage
from app.backup.verify import verify_backup

def chunks() -> Iterator[bytes]:
    for _ in range(SIZE // 262144):
        yield bytes(262144)

def write(target):
    writer = ArchiveWriter(target)
    dump = writer.database(chunks())
    digest = ContentDigest()
    writer.file("a", SIZE, chunks(), digest)
    database = DatabaseContents(
        kind="sqlite", server_version="3", revisions=(), tables={}, size=dump.size, sha256=dump.hex
    )
    files = FileContents(store="s", copied=True, count=1, size=digest.size, sha256=digest.hex)
    time = datetime(2026, 11, 1, tzinfo=UTC)
    writer.finish(Manifest(project="p", version="1", created_at=time, database=database, files=files))

SIZE, folder = int(sys.argv[1]), Path(sys.argv[2])
identity, public = new_identity()
(folder / "key").write_text(identity)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
place = Folder(folder, "p")
name = "p-20261101T000000Z.tar.age"
with place.lock(), Stage(write) as plain, encrypted(plain, [recipient(public)]) as stream:
    place.save(name, stream)
backup = BackupFile.of(place, name)
assert backup.verify_checksum()
verify_backup(backup, IdentityFile(folder / "key"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_backup(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(SIZE), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    unit = 1024 if sys.platform == "darwin" else 1
    assert int(done.stdout) / unit < LIMIT
    assert (tmp_path / "p-20261101T000000Z.tar.age").stat().st_size > 2 * SIZE
