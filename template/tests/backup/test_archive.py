"""Archives that are damaged, cut off or hostile. Each is refused with one error, before anything is changed."""

import io
import json
import random
import tarfile
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import IO

import pytest

from app.backup.archive import BLOCK, PART_SIZE, ContentDigest, header, padding
from app.backup.archive_reader import Discard, read_archive
from app.backup.archive_writer import ArchiveWriter, FileChangedError
from app.backup.errors import BackupError, DamagedError
from app.backup.manifest import DatabaseContents, FileContents, Manifest

DUMP = random.Random(1).randbytes(PART_SIZE + 1000)  # noqa: S311 - any bytes
LONG_KEY = "/".join(["k" * 60] * 3)
FILES = {"files/a": b"1" * 1000, "files/b": b"", LONG_KEY: b"long"}


class Collecting(Discard):
    """A receiver that keeps everything."""

    def __init__(self) -> None:
        self.dump = b""
        self.files: dict[str, bytes] = {}

    def database(self, content: bytes) -> None:
        self.dump += content

    def file(self, key: str, size: int, content: Iterator[bytes]) -> None:  # noqa: ARG002
        self.files[key] = b"".join(content)


def archive(dump: bytes = DUMP, **changes: object) -> bytes:
    """Return a backup, with changes to its manifest."""
    target = io.BytesIO()
    writer = ArchiveWriter(target)
    database = writer.database([dump[:5], dump[5:]] if dump else [])
    digest = ContentDigest()
    for key, content in FILES.items():
        writer.file(key, len(content), [content], digest)
    manifest = Manifest(
        project="Test",
        version="1",
        created_at=datetime(2026, 11, 1, tzinfo=UTC),
        database=DatabaseContents(
            kind="postgresql",
            server_version="18.6",
            revisions=("core_0001",),
            tables={"users": 3},
            size=database.size,
            sha256=database.hex,
        ),
        files=FileContents(store="local", copied=True, count=digest.count, size=digest.size, sha256=digest.hex),
    )
    writer.finish(Manifest.model_validate(manifest.model_dump() | changes) if changes else manifest)
    return target.getvalue()


ARCHIVE = archive()


def read(content: bytes) -> Collecting:
    """Read a backup."""
    receiver = Collecting()
    read_archive(io.BytesIO(content), receiver)
    return receiver


def member(name: str, content: bytes = b"", *, type_: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """Return an entry of an archive."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = type_, link, len(content)
    return info.tobuf(tarfile.GNU_FORMAT) + content + padding(len(content))


def test_is_read_as_it_was_written() -> None:
    found = read(ARCHIVE)
    assert found.dump == DUMP
    assert found.files == FILES


def test_is_an_archive_that_tar_reads() -> None:
    with tarfile.open(fileobj=io.BytesIO(ARCHIVE)) as opened:
        parts = [each for each in opened.getmembers() if each.name.startswith("database/")]
        assert b"".join(_content(opened, each) for each in parts) == DUMP
        assert _content(opened, opened.getmember(f"files/{LONG_KEY}")) == b"long"
        assert json.loads(_content(opened, opened.getmembers()[-1]))["database"]["sha256"] == sha256(DUMP).hexdigest()


def _content(opened: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    file: IO[bytes] | None = opened.extractfile(info)
    assert file is not None
    return file.read()


def test_a_cut_archive_is_refused_wherever_it_is_cut() -> None:
    cuts = {
        *range(0, len(ARCHIVE), BLOCK * 499),
        *range(len(ARCHIVE) - 20 * BLOCK, len(ARCHIVE), BLOCK),
        len(ARCHIVE) - 1,
    }
    for cut in cuts:
        with pytest.raises(DamagedError):
            read(ARCHIVE[:cut])


def test_a_changed_byte_is_found_wherever_it_is() -> None:
    chosen = random.Random(2)  # noqa: S311 - any positions
    positions = [*range(100), *range(len(ARCHIVE) - 8 * BLOCK, len(ARCHIVE), 97)]
    for position in [*positions, *(chosen.randrange(len(ARCHIVE)) for _ in range(60))]:
        changed = bytearray(ARCHIVE)
        changed[position] ^= 1 << chosen.randrange(8)
        try:
            found = read(bytes(changed))
        except BackupError:
            continue
        # Only fields of headers that mean nothing here, such as the time of a file, may change.
        assert (found.dump, found.files) == (DUMP, FILES)


@pytest.mark.parametrize(
    "entry",
    [
        member("files/../../etc/passwd", b"x"),
        member("files//etc/passwd", b"x"),
        member("/etc/passwd", b"x"),
        member("../x", b"x"),
        member("files/.ssh/keys", b"x"),
        member("files/a\\b", b"x"),
        member("files/a\nb", b"x"),
        member("files/ü", b"x"),
        member("files/", b"x"),
        member("files", b"x"),
        member("other/a", b"x"),
        member("files/a", type_=tarfile.SYMTYPE, link="/etc/passwd"),
        member("files/a", type_=tarfile.LNKTYPE, link="manifest.json"),
        member("files/a", type_=tarfile.DIRTYPE),
        member("files/a", type_=tarfile.FIFOTYPE),
        member("files/a", type_=tarfile.CHRTYPE),
        member("files/a", type_=tarfile.GNUTYPE_SPARSE),
        member("x", b"30 path=files/../../x\n", type_=tarfile.XHDTYPE) + member("files/a", b"x"),
        member("x", b"30 path=files/../../x\n", type_=tarfile.XGLTYPE) + member("files/a", b"x"),
        member("x", b"files/../../etc/passwd\0", type_=tarfile.GNUTYPE_LONGNAME) + member("files/a", b"x"),
        member("x", b"y" * 5000, type_=tarfile.GNUTYPE_LONGNAME) + member("files/a", b"x"),
        member("x", b"/etc/passwd\0", type_=tarfile.GNUTYPE_LONGLINK) + member("files/a", b"x"),
        member("database/00000002", b"x"),
        member("database/00000001/../../x", b"x"),
        member("manifest.json/x", b"x"),
        header("manifest.json", 2**33),
        header("database/00000001", PART_SIZE + 1),
        header("x", 2**62).replace(b"x", b"files/a", 1)[:BLOCK],
        b"PK\x03\x04" + bytes(BLOCK),
        b"\x1f\x8b" + bytes(BLOCK),
    ],
    ids=range(30),
)
def test_a_hostile_entry_is_refused(entry: bytes) -> None:
    with pytest.raises(DamagedError, match="Nothing was changed"):
        read(entry + ARCHIVE)


def test_nothing_may_follow_the_end() -> None:
    with pytest.raises(DamagedError, match="follows its end"):
        read(ARCHIVE + b"\0")


def test_a_manifest_must_agree_with_the_contents() -> None:
    database = {**json.loads(_manifest_of(ARCHIVE))["database"], "size": 7}
    with pytest.raises(DamagedError, match="the database in it differs"):
        read(archive(database=database))
    with pytest.raises(DamagedError, match="no backup contains"):
        read(archive(files=None))
    files = {"store": "s", "copied": False, "count": 1, "size": 1, "sha256": "0" * 64}
    with pytest.raises(DamagedError, match="the list of the stored files"):
        read(archive(files=files))


def test_names_in_a_manifest_cannot_become_sql() -> None:
    for name in ('users" WHERE false; DROP TABLE users; --', "$restore$", "a'b", "a\\b", ""):
        changed = ARCHIVE.replace(b'"users"', json.dumps(name).encode())
        with pytest.raises(DamagedError):
            read(changed)


def test_texts_in_a_manifest_cannot_control_a_terminal() -> None:
    for text in ("\x1b[2J", "a\nb", "\x9b2J"):
        content = _manifest_of(ARCHIVE).replace(b'"Test"', json.dumps(text).encode())
        with pytest.raises(DamagedError, match="manifest is invalid"):
            read(member("manifest.json", content) + bytes(2 * BLOCK))


def test_a_newer_format_names_the_reason() -> None:
    target = io.BytesIO()
    ArchiveWriter(target).database([])
    content = _manifest_of(ARCHIVE).replace(b'"format": 1', b'"format": 2')
    with pytest.raises(BackupError, match="newer version"):
        read(member("manifest.json", content) + bytes(2 * BLOCK))


def test_an_empty_database_is_a_backup_too() -> None:
    assert read(archive(b"")).dump == b""


@pytest.mark.parametrize("content", [b"short", b"much too long"])
def test_a_file_that_changes_while_it_is_read_ends_the_backup(content: bytes) -> None:
    with pytest.raises(FileChangedError):
        ArchiveWriter(io.BytesIO()).file("a", 8, [content], ContentDigest())


def _manifest_of(content: bytes) -> bytes:
    with tarfile.open(fileobj=io.BytesIO(content)) as opened:
        return _content(opened, opened.getmembers()[-1])
