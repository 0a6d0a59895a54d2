"""The manifest: the last file of a backup, which describes the others."""

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

FORMAT: Final = 1

type Count = Annotated[int, Field(ge=0, lt=2**63)]
type Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
type Revision = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
type ExtensionName = Annotated[str, Field(pattern=r"^[a-z0-9_-]{1,63}$")]
type TableName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[^\x00-\x1f\"\\$']+$")]
type ShortText = Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f\x7f-\x9f]*$")]
"""Text that is shown in a terminal: no control characters."""


class Contents(BaseModel):
    """Base of the manifest's parts."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    size: Count
    sha256: Digest


class DatabaseContents(Contents):
    """The database's part of a backup.

    Attributes:
        kind: a dump in pg_dump's custom format, or a SQLite database file.
        server_version: of the database.
        extensions: PostgreSQL's extensions in the schema `public`, which the dump needs and does not contain.
        revisions: the newest applied revision of each branch of the migrations.
        tables: the number of rows of each table, at the moment of the dump.
        size: in bytes.
        sha256: of the content.
    """

    kind: Literal["postgresql", "sqlite"]
    server_version: ShortText
    extensions: tuple[ExtensionName, ...] = ()
    revisions: tuple[Revision, ...]
    tables: dict[TableName, Count]


class FileContents(Contents):
    """The stored files' part of a backup.

    Attributes:
        store: the name of the store that they were in.
        copied: whether the backup contains the files themselves. Otherwise it has a list of them, as of a bucket.
        count: the number of files.
        size: of all of them, in bytes.
        sha256: of every key, size and content, in the order of the archive.
    """

    store: ShortText
    copied: bool
    count: Count


class Manifest(BaseModel):
    """The description of a backup.

    Attributes:
        format: the version of this description.
        project: the name of the project.
        version: of the application.
        created_at: the time of the dump.
        database: the database.
        files: the stored files; `None` if the backup contains only the database.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = FORMAT
    project: ShortText
    version: ShortText
    created_at: AwareDatetime
    database: DatabaseContents
    files: FileContents | None = None

    @property
    def time(self) -> str:
        """The time of the dump, for people."""
        return shown_time(self.created_at)


def shown_time(time: datetime) -> str:
    """Return a time in UTC, to the second."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
