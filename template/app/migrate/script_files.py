"""Alembic's configuration, and the branches that the revision files form."""

import io
import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from app.core.db.revision_files import RevisionFile, read_revision_files
from app.kit.user_error import UserError
from app.migrate.branches import OWN, Branches

MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations"

type Say = Callable[[str], object]


def configuration(url: str, *, report: Say | None = None, needs_metadata: bool = True) -> Config:
    """Return Alembic's configuration for a database.

    Args:
        url: the DATABASE_URL.
        report: called with a line for every revision that is applied or reverted.
        needs_metadata: whether the command compares with the models.
    """
    versions = MIGRATIONS / "versions"
    folders = sorted(path for path in versions.iterdir() if path.is_dir() and not path.name.startswith(("_", ".")))
    config = Config(stdout=io.StringIO(), cmd_opts=Namespace(quiet=True))
    for name, value in (
        ("script_location", str(MIGRATIONS)),
        ("file_template", "%(rev)s_%(slug)s"),
        ("path_separator", "newline"),
        ("version_locations", "\n".join(str(folder) for folder in folders or [versions])),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    config.attributes |= {"url": url, "report": report, "needs_metadata": needs_metadata}
    return config


def branches(config: Config) -> Branches:
    """Return the branches that the files form.

    Raises:
        UserError: two files have the same id, or the file that a revision follows is missing.
    """
    _check_files(read_revision_files(MIGRATIONS / "versions"))
    return Branches(ScriptDirectory.from_config(config))


def relative(path: Path | str) -> str:
    """Return the path as seen from the project's folder."""
    path = Path(path)
    return str(path.relative_to(MIGRATIONS.parent) if path.is_relative_to(MIGRATIONS.parent) else path)


def unlabel_all_but_one(label: str) -> None:
    """Leave a branch's label on one of its first revisions only, as Alembic demands. Databases don't store labels."""
    for root in _roots(read_revision_files(MIGRATIONS / "versions")).get(label, [])[1:]:
        text = root.path.read_text(encoding="utf-8")
        text = re.sub(r"^(branch_labels\b[^=\n]*=).*$", r"\1 None", text, count=1, flags=re.MULTILINE)
        root.path.write_text(text, encoding="utf-8")


def _roots(files: list[RevisionFile]) -> dict[str, list[RevisionFile]]:
    roots: dict[str, list[RevisionFile]] = {}
    for file in files:
        for label in file.labels:
            roots.setdefault(label, []).append(file)
    return roots


def _check_files(files: list[RevisionFile]) -> None:
    by_id: dict[str, RevisionFile] = {}
    for file in files:
        if file.id in by_id:
            raise UserError(
                f"Two files have the revision id {file.id}: {relative(by_id[file.id].path)} and "
                f"{relative(file.path)}. Give one of them another id, in `revision` and in its file name."
            )
        by_id[file.id] = file
    for label, roots in _roots(files).items():
        if len(roots) > 1:
            raise UserError(
                f"{' and '.join(relative(root.path) for root in roots)} both begin the branch {label}, usually because "
                "two people have each written its first revision. Join them with a merge revision and commit it: "
                f"app db merge{'' if label == OWN else f' --module {label}'}"
            )
    names = by_id.keys() | {label for file in files for label in file.labels}
    for file in files:
        missing = [parent for parent in file.parents if parent.partition("@")[0] not in names]
        if missing:
            raise UserError(
                f"{relative(file.path)} follows {', '.join(missing)}, whose file is not in migrations/versions.\n"
                "Restore the file: `git log --diff-filter=D --stat -- migrations/versions` shows the commit that "
                "deleted it. If it was never committed, ask its author to commit it."
            )
