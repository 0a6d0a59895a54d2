"""Releases of a rendered project, as the stand-in for docker keeps them: each one a folder, in place of an image."""

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

ADDRESSES: Final = ("app-blue", "app-green", "worker-blue", "worker-green", "release", "backup", "caddy")
EXPANDED: Final = "SELECT count(*) FROM information_schema.columns WHERE column_name = 'nickname'"
HALF_APPLIED: Final = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'half_applied'"
HANDLER: Final = '    """Render the `HTTPException` of Starlette, FastAPI or a route."""\n'
COMMAND: Final = """\
#!{python}
import sys

sys.path.insert(0, {folder!r})
from app.cli.main import main

if __name__ == "__main__":
    main()
"""
MIGRATION: Final = '''\
"""Revision {number}."""

import sqlalchemy as sa
from alembic import op

revision = "app_{number}"
down_revision = {down}
branch_labels = {labels}
depends_on = {depends}


def upgrade() -> None:
    {upgrade}


def downgrade() -> None:
    {downgrade}
'''
ADD_COLUMN: Final = MIGRATION.format(
    number="0001",
    down=None,
    labels=("app",),
    depends=("users_0001",),
    upgrade='op.add_column("users", sa.Column("nickname", sa.String(80), nullable=True))',
    downgrade='op.drop_column("users", "nickname")',
)
FAIL_HALFWAY: Final = MIGRATION.format(
    number="0002",
    down='"app_0001"',
    labels=None,
    depends=None,
    upgrade='op.create_table("half_applied", sa.Column("id", sa.Integer()))\n    op.execute("SELECT 1 / 0")',
    downgrade='op.drop_table("half_applied")',
)


def make(project: Path, work: Path) -> None:
    """Write the releases v1 to v5, the program `docker`, and the names of the containers' addresses."""
    for name in ("bin", "containers", "logs", "home", "volumes"):
        (work / name).mkdir()
    changes: dict[str, tuple[Callable[[Path], None], ...]] = {
        "v1": (),
        "v2": (expand,),
        "v3": (expand, fail_halfway),
        "v4": (expand, never_serve),
        "v5": (expand, fail_behind_proxy),
    }
    for name, functions in changes.items():
        folder = work / "images" / name
        for part in ("app", "migrations"):
            shutil.copytree(project / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        replace(folder / "app/core/http/health.py", 'status: str = "ok"', f'status: str = "{name}"')
        for function in functions:
            function(folder)
        program = folder / "app-command"
        program.write_text(COMMAND.format(python=sys.executable, folder=str(folder)), encoding="utf-8")
        program.chmod(0o755)
    docker = work / "bin" / "docker"
    source = Path(__file__).with_name("docker.py")
    docker.write_text(f'#!/bin/sh\nexec {sys.executable} {source} "$@"\n', encoding="utf-8")
    docker.chmod(0o755)


def replace(file: Path, old: str, new: str) -> None:
    """Replace a text that the file contains."""
    text = file.read_text(encoding="utf-8")
    if old not in text:
        raise SystemExit(f"{file} does not contain {old}")
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def _migration(folder: Path, name: str, text: str) -> None:
    versions = folder / "migrations" / "versions" / "app"
    versions.mkdir(exist_ok=True)
    (versions / f"{name}.py").write_text(text, encoding="utf-8")


def expand(folder: Path) -> None:
    """Add a revision that the earlier release can live with."""
    _migration(folder, "app_0001_nickname", ADD_COLUMN)


def fail_halfway(folder: Path) -> None:
    """Add a revision that fails after its first statement."""
    _migration(folder, "app_0002_half", FAIL_HALFWAY)


def never_serve(folder: Path) -> None:
    """Let the server exit before it listens."""
    replace(
        folder / "app/cli/serve.py", "    from app.core.config", "    raise SystemExit(3)\n    from app.core.config"
    )


def fail_behind_proxy(folder: Path) -> None:
    """Let unknown routes fail behind a proxy, which readiness does not notice."""
    condition = '    if "x-forwarded-for" in request.headers:\n        return render_internal(request.scope)\n'
    replace(folder / "app/core/http/error_handlers.py", HANDLER, HANDLER + condition)
