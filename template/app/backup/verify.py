"""Check a backup: without a database, or by restoring it into a temporary one."""

import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import IO

from app.backup.archive import READ_SIZE
from app.backup.archive_reader import Discard, Receiver, read_archive
from app.backup.destination import BackupFile
from app.backup.encryption import MAGIC, IdentityFile, decrypted
from app.backup.errors import BackupError
from app.backup.manifest import Manifest


def read_backup(backup: BackupFile, receiver: Receiver, identity: IdentityFile | None) -> Manifest:
    """Pass a backup's contents to a receiver, and return its manifest once everything agrees with it.

    Raises:
        BackupError: it is encrypted and there is no identity, or the identity doesn't match.
        DamagedError: it was changed or is incomplete.
    """
    with _opened(backup, identity) as source:
        return read_archive(source, receiver)


def verify_backup(backup: BackupFile, identity: IdentityFile | None) -> Manifest:
    """Check all of a backup, without a database.

    Raises:
        BackupError: see `read_backup`.
    """
    return read_backup(backup, Discard(), identity)


def is_encrypted(backup: BackupFile) -> bool:
    """Return whether age encrypted the file."""
    with backup.open() as file:
        return file.read(len(MAGIC)) == MAGIC


@contextmanager
def _opened(backup: BackupFile, identity: IdentityFile | None) -> Iterator[IO[bytes]]:
    with ExitStack() as stack:
        if not is_encrypted(backup):
            yield stack.enter_context(backup.open())
            return
        if identity is None:
            raise BackupError(f"{backup.name} is encrypted. Name the file of its secret key: --identity FILE")
        file = stack.enter_context(backup.open())
        stage = stack.enter_context(decrypted(file, identity.identities))
        yield stack.enter_context(io.BufferedReader(stage, READ_SIZE))
