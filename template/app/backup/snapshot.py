"""A database at one moment: its description, and a dump that agrees with it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Snapshot:
    """A database at one moment, while other sessions go on writing.

    Attributes:
        kind: PostgreSQL or SQLite.
        server_version: its version.
        extensions: the names of PostgreSQL's extensions in the schema `public`.
        revisions: the newest applied revision of each branch of the migrations.
        tables: the number of rows of each table.
        dump: yields the dump.
    """

    kind: Literal["postgresql", "sqlite"]
    server_version: str
    extensions: tuple[str, ...] = ()
    revisions: tuple[str, ...]
    tables: Mapping[str, int]
    dump: Callable[[], Iterator[bytes]]
