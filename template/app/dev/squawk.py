"""Judge revisions with squawk, a linter of migrations for PostgreSQL (https://squawkhq.com).

A development dependency: revisions are judged before they are merged, and the image is 25 MB smaller without it.
"""

import json
import subprocess
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from alembic.script import Script

from app.kit.user_error import UserError
from app.migrate.preflight import MIN_VERSION
from app.migrate.production import BREAKS_RELEASE, MIXED, MIXED_REVISION, accepted
from app.migrate.script_files import relative
from app.migrate.statements import is_mixed, sql_of

EXCLUDED: Final = (
    # `app db` sets lock_timeout for each transaction. A statement timeout would end long but harmless index builds.
    "require-lock-timeout",
    "require-statement-timeout",
    # Matters of taste: lengths are checked by the models, and keys are UUIDs.
    "prefer-text-field",
    "prefer-bigint-over-int",
    "prefer-robust-stmts",
    "prefer-identity",
)
TIMEOUT: Final = 60
"""Seconds within which squawk must answer."""


def judge(revisions: Iterable[Script]) -> list[str]:
    """Return the problems of revisions, one line for each: broken rules, and accept markers that are wrong.

    Raises:
        UserError: squawk is not installed, or a revision's SQL cannot be rendered.
    """
    return [problem for revision in revisions for problem in _problems(revision)]


def _problems(revision: Script) -> Iterator[str]:
    marked = accepted(revision)
    sql = sql_of(revision)
    broken = _broken_rules(sql) | ({MIXED_REVISION: MIXED} if is_mixed(sql) else {})
    path = relative(revision.path)
    for rule, message in broken.items():
        if rule not in marked:
            yield f'{path}: {rule}: {message} Change it, or accept it: accepted = {{"{rule}": "the reason"}}'
    for rule, reason in marked.items():
        if rule not in broken and rule != BREAKS_RELEASE:
            yield f"{path}: it accepts {rule}, which it does not break. Remove it from `accepted`."
        elif not str(reason).strip():
            yield f"{path}: it accepts {rule} without a reason."


def _broken_rules(sql: str) -> dict[str, str]:
    """Return the message of each rule that the SQL breaks."""
    if not sql:
        return {}
    program = Path(sysconfig.get_path("scripts")) / "squawk"
    command = [str(program), "--reporter=json", f"--pg-version={MIN_VERSION}.0"]
    command += [f"--exclude={rule}" for rule in EXCLUDED]
    try:
        result = subprocess.run(  # noqa: S603 - the program of this environment, and constants
            command,
            # As `app db` runs it. Alembic's autocommit blocks end this transaction and begin another one.
            input=f"BEGIN;\n{sql}\nCOMMIT;\n",
            capture_output=True,
            timeout=TIMEOUT,
            check=False,
            encoding="utf-8",
        )
    except FileNotFoundError as error:
        raise UserError("squawk is not installed. It is a development dependency: uv sync") from error
    if not result.stdout.strip():
        raise UserError(f"squawk failed: {result.stderr.strip()[:500]}")
    return {found["rule_name"]: found["message"] for found in reversed(json.loads(result.stdout))}
