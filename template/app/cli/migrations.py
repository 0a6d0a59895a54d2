"""The database's revisions, with Alembic's branches, heads and labels out of sight.

Each module has a branch of its own in `migrations/versions/<module>`, and so do your own tables, in `app`.
"""

import io
from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

type Say = Callable[[str], None]


def configuration(url: str, *, say: Say | None = None, needs_metadata: bool = True) -> Config:
    """Alembic's configuration for a database.

    Args:
        say: is told of every revision that is applied or reverted.
        needs_metadata: whether the command compares with the models.
    """
    versions = MIGRATIONS / "versions"
    folders = sorted(path for path in versions.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
    config = Config(stdout=io.StringIO())
    for name, value in (
        ("script_location", str(MIGRATIONS)),
        ("path_separator", "newline"),
        ("version_locations", "\n".join(str(folder) for folder in folders or [versions])),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes |= {"url": url, "report": say, "needs_metadata": needs_metadata}
    return config


def upgrade(url: str, *, say: Say | None = None) -> None:
    """Brings the database to the newest revision of every branch."""
    command.upgrade(configuration(url, say=say, needs_metadata=False), "heads")
