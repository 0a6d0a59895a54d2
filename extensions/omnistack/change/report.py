"""The output of `add`, `remove` and `update`."""

from collections.abc import Iterable, Sequence

import typer

from omnistack.change.affected_files import AffectedFiles
from omnistack.change.trial import Outcome
from omnistack.template.catalog import Piece
from omnistack.template.project import Answers, CommittedProject

VERBS = {"A": "add", "M": "change", "D": "remove"}
MIGRATIONS = "migrations/"


def say(lines: Iterable[str]) -> None:
    """Write lines to stdout."""
    for text in lines:
        typer.echo(text)


def files(outcome: Outcome) -> list[str]:
    """List every file and what happens to it."""
    return [f"  {VERBS[change.kind]:<6}  {change.path}" for change in outcome.changes]


def totals(outcome: Outcome) -> str:
    """Count the files, as "1 added, 2 changed, 0 removed"."""
    counted = [
        (len(outcome.paths("A")), "added"),
        (len(outcome.paths("M")), "changed"),
        (len(outcome.paths("D")), "removed"),
    ]
    return ", ".join(f"{number} {verb}" for number, verb in counted)


def affected(found: AffectedFiles) -> list[str]:
    """List the user's files that a removal affects."""
    lines: list[str] = []
    for title, paths in (
        ("These files will be deleted, and you edited them:", found.edited),
        ("These files of yours are in the removed folders, and are kept:", found.own),
        ("This code of yours imports a removed module:", found.importing),
    ):
        if paths:
            lines += [title, *(f"  {path}" for path in paths)]
    return lines


def downgrades(branches: Sequence[str]) -> list[str]:
    """Show how to drop the tables of removed modules."""
    if not branches:
        return []
    return [
        "FIRST drop its tables in every database that has them (this deletes their rows). Once the migrations are",
        "removed, every `app db` command would fail on such a database:",
        *(f"  uv run app db downgrade {branch}@base" for branch in branches),
    ]


def settings(before: Iterable[Piece], after: Iterable[Piece]) -> list[str]:
    """List the settings that are added and removed; `.env` itself belongs to the user."""
    old = {setting.name: setting for piece in before for setting in piece.settings}
    new = {setting.name: setting for piece in after for setting in piece.settings}
    added, removed = [name for name in new if name not in old], [name for name in old if name not in new]
    lines: list[str] = []
    if added:
        lines += ["New settings, for .env and for every deployment:"]
        lines += [f"  {name}  {new[name].help}" for name in added]
    if removed:
        lines += [f"No longer used, delete them from .env: {', '.join(removed)}"]
    return lines


def answers(before: Answers, after: Answers) -> list[str]:
    """List the answers that a new version added, changed or dropped."""
    lines = [
        f"New question {name}: answered with its default, {_shown(value)}"
        for name, value in after.items()
        if name not in before
    ]
    lines += [
        f"{name} is now {_shown(after[name])}: the new version does not accept {_shown(value)}"
        for name, value in before.items()
        if name in after and after[name] != value
    ]
    lines += [f"{name} is no longer asked (it was {_shown(before[name])})" for name in before if name not in after]
    return lines


def conflicts(outcome: Outcome) -> list[str]:
    """List the conflicts to resolve."""
    if not outcome.conflicts:
        return []
    return ["Conflicts between your edits and the template's:", *(f"  {conflict}" for conflict in outcome.conflicts)]


def next_steps(project: CommittedProject, outcome: Outcome, message: str, *, synced: bool) -> list[str]:
    """Show how to review the changes, keep them, or undo them."""
    steps: list[tuple[str, str]] = []
    if outcome.conflicts:
        steps += [("git diff", "resolve the conflicts: edit the files, delete the markers, then `git add` them")]
    steps += [("git diff --staged", "review the changes")]
    if not synced:
        steps += [("uv sync", "install the packages")]
    if any(change.path.startswith(MIGRATIONS) and change.kind != "D" for change in outcome.changes):
        steps += [("uv run app db upgrade", "create the tables")]
    steps += [(f'git commit -m "{message}"', "keep the changes")]
    undo = "git reset --hard" if project.root == project.top else "git restore --source=HEAD --staged --worktree ."
    steps += [(f"{undo} && uv sync", "or undo everything")]
    width = max(len(command) for command, _ in steps)
    return ["Nothing is committed yet. Next steps:", *(f"  {command:<{width}}  {why}" for command, why in steps)]


def _shown(value: str | bool) -> str:  # noqa: FBT001 - an answer
    return str(value).lower() if isinstance(value, bool) else repr(value)
