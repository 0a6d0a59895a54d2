"""Encrypted backups: only the identity opens them, and every change is found."""

import io
import random
from pathlib import Path

import pytest

from app.backup.destination import BackupFile
from app.backup.encryption import MAGIC, decrypted, encrypted, new_identity, read_identities, recipient
from app.backup.errors import BackupError, DamagedError
from app.backup.folder import Folder
from app.backup.settings import BackupSettings
from app.backup.stage import Stage
from app.core.config.settings import ConfigurationError, load_settings
from tests.backup.conftest import FILES, make, restore, rows
from tests.backup.memory_files import MemoryFiles

CONTENT = random.Random(3).randbytes(200_000)  # noqa: S311 - any bytes


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, str]:
    """The file of an identity, and its public key."""
    identity, public = new_identity()
    file = tmp_path / "key.txt"
    file.write_text(f"# a comment\n{identity}\n")
    return file, public


def encrypt(public: str) -> bytes:
    """Return the encrypted content."""
    with Stage(lambda target: target.write(CONTENT)) as source, encrypted(source, [recipient(public)]) as stage:
        return stage.readall()


def decrypt(content: bytes, identity: Path) -> bytes:
    """Return the decrypted content."""
    with decrypted(io.BytesIO(content), read_identities(identity)) as stage:
        return stage.readall()


def test_only_the_identity_decrypts(keys: tuple[Path, str], tmp_path: Path) -> None:
    identity, public = keys
    content = encrypt(public)
    assert content.startswith(MAGIC)
    assert CONTENT[:100] not in content
    assert decrypt(content, identity) == CONTENT

    other = tmp_path / "other.txt"
    other.write_text(new_identity()[0])
    with pytest.raises(BackupError, match="encrypted for another key"):
        decrypt(content, other)


def test_a_cut_or_changed_stream_is_refused(keys: tuple[Path, str]) -> None:
    identity, public = keys
    content = encrypt(public)
    chosen = random.Random(4)  # noqa: S311 - any positions
    for cut in (
        0,
        30,
        150,
        300,
        65_536,
        131_500,
        len(content) - 1,
        *(chosen.randrange(len(content)) for _ in range(5)),
    ):
        with pytest.raises(BackupError):
            decrypt(content[:cut], identity)
    for position in (5, 60, 130, 250, 70_000, len(content) - 1, *(chosen.randrange(len(content)) for _ in range(20))):
        changed = bytearray(content)
        changed[position] ^= 1
        with pytest.raises(BackupError):
            decrypt(bytes(changed), identity)
    with pytest.raises(DamagedError):
        decrypt(content + b"\0", identity)


def test_an_error_of_the_source_is_the_error_of_the_stream(keys: tuple[Path, str]) -> None:
    def fail(_target: object) -> None:
        raise BackupError("pg_dump failed.")

    with (
        Stage(fail) as source,
        encrypted(source, [recipient(keys[1])]) as stage,
        pytest.raises(BackupError, match="pg_dump"),
    ):
        stage.readall()


async def test_an_encrypted_backup_is_restored_with_its_identity_only(
    source: str, empty: str, keys: tuple[Path, str], tmp_path: Path
) -> None:
    identity, public = keys
    file = make(source, tmp_path / "backups", MemoryFiles(FILES), recipient=public)
    assert file.suffix == ".age"
    assert b"user0@example.com" not in file.read_bytes()
    with pytest.raises(BackupError, match="--identity FILE"):
        restore(empty, file, MemoryFiles())
    other = tmp_path / "other.txt"
    other.write_text(new_identity()[0])
    with pytest.raises(BackupError, match="another key"):
        restore(empty, file, MemoryFiles(), identity=other)
    assert await rows(empty) == {}

    store = MemoryFiles()
    restore(empty, file, store, identity=identity)
    assert await rows(empty) == await rows(source)
    assert store.files == FILES


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("", "no identity"),
        ("age1xyz", "no identity"),
        ("AGE-SECRET-KEY-1NONSENSE", "damaged identity"),
        ("-----BEGIN AGE ENCRYPTED FILE-----", "passphrase"),
    ],
)
def test_a_file_without_an_identity_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    file = tmp_path / "key.txt"
    file.write_text(content)
    with pytest.raises(BackupError, match=reason) as caught:
        read_identities(file)
    assert "NONSENSE" not in str(caught.value)
    with pytest.raises(BackupError, match="cannot be read"):
        read_identities(tmp_path / "absent")


def test_the_setting_takes_a_public_key_only(monkeypatch: pytest.MonkeyPatch) -> None:
    identity, public = new_identity()
    for value, reason in ((identity, "secret identity"), ("age1nonsense", "not an age public key"), ("x", "age1")):
        monkeypatch.setenv("BACKUP_AGE_RECIPIENT", value)
        with pytest.raises(ConfigurationError, match=reason) as caught:
            load_settings([BackupSettings])
        assert value not in str(caught.value)
    monkeypatch.setenv("BACKUP_AGE_RECIPIENT", public)
    load_settings([BackupSettings])


def test_a_checksum_is_checked_without_an_identity(source: str, keys: tuple[Path, str], tmp_path: Path) -> None:
    file = make(source, tmp_path / "backups", None, recipient=keys[1])
    backup = BackupFile.of(Folder(file.parent, "test-co"), file.name)
    assert backup.verify_checksum()
    content = bytearray(file.read_bytes())
    content[1000] ^= 1
    file.write_bytes(content)
    with pytest.raises(DamagedError, match="checksum"):
        backup.verify_checksum()
