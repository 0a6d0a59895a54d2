"""The settings and the open connections of a command."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.backup.bucket import BucketFolder
from app.backup.destination import BackupFile, Destination, slug
from app.backup.errors import BackupError
from app.backup.folder import Folder
from app.backup.portal import Portal
from app.backup.settings import BUCKET_SCHEME, BackupSettings
from app.core.ports.file_stores import FileStores

LATEST: Final = "latest"
_BUCKET_URL: Final = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<path>[A-Za-z0-9_./-]*))?")


@dataclass(frozen=True, kw_only=True, slots=True)
class BackupContext:
    """The settings and the open connections of a command.

    Attributes:
        project_name: PROJECT_NAME.
        settings: the settings of backups.
        stores: the stores of files; `None` if the application has none.
        portal: runs coroutines.
        database_url: of the database; empty if the command doesn't need it.
    """

    project_name: str
    settings: BackupSettings
    stores: FileStores | None
    portal: Portal
    database_url: str

    @property
    def project(self) -> str:
        """The project's name in file names."""
        return slug(self.project_name)

    @contextmanager
    def destination(self, place: str | None) -> Iterator[Destination]:
        """Open a folder, or a folder in a bucket; by default the one of the settings.

        Raises:
            BackupError: it is not a URL of a bucket, or no provider with the S3 protocol is configured.
        """
        place = place or self.settings.BACKUP_DIR
        if not place.startswith(BUCKET_SCHEME):
            yield Folder(Path(place), self.project)
            return
        match = _BUCKET_URL.fullmatch(place)
        if match is None:
            raise BackupError(f"{place} is not the URL of a bucket. It must look like s3://bucket/folder.")
        open_bucket = self.stores.open_bucket if self.stores is not None else None
        if open_bucket is None:
            raise BackupError(
                "Backups in a bucket need a storage provider with the S3 protocol, and its credentials in the settings."
            )
        with self.portal.enter(open_bucket(match["bucket"])) as store:
            yield BucketFolder(
                self.portal,
                store,
                prefix=(match["path"] or "").strip("/"),
                shown=place.removesuffix("/"),
                project=self.project,
            )

    @contextmanager
    def backup(self, name: str) -> Iterator[BackupFile]:
        """Open a backup: a path, an `s3://` URL, a name in the default place, or `latest`.

        Raises:
            BackupError: it does not exist.
        """
        place: str | None = None
        if name.startswith(BUCKET_SCHEME):
            place, _, name = name.rpartition("/")
        elif Path(name).is_file():
            path = Path(name)
            place, name = str(path.parent), path.name
            yield BackupFile.of(Folder(path.parent, self.project), name)
            return
        with self.destination(place) as destination:
            found = destination.backups()
            if name == LATEST:
                name = found[0].name if found else ""
            if name not in {backup.name for backup in found}:
                raise BackupError(f"{destination.shown} has no backup {name or LATEST}. `app backup list` lists them.")
            yield BackupFile.of(destination, name)
