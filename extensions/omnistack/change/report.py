"""What `add`, `remove` and `update` tell the user."""

from collections.abc import Iterable, Sequence

import typer

from omnistack.change.affected_files import Losses
from omnistack.change.trial import Outcome
from omnistack.template.catalog import Piece
from omnistack.template.project import Answers, Project

VERBS = {"A": "add", "M": "change", "D": "remove"}
MIGRATIONS = "migrations/"


def say(lines: Iterable[str]) -> None:
    """Write lines to stdout."""
    for text in lines:
        typer.echo(text)


def files(outcome: Outcome) -> list[str]:
    """List every file with what happens to it."""
    return [f"  {VERBS[change.kind]:<6}  {change.path}" for change in outcome.changes]


def totals(outcome: Outcome) -> str:
    """Count the files, as "1 added, 2 changed, 0 removed"."""
    counted = [
        (len(outcome.paths("A")), "added"),
        (len(outcome.paths("M")), "changed"),
        (len(outcome.paths("D")), "removed"),
    ]
    return ", ".join(f"{number} {verb}" for number, verb in counted)


def losses(found: Losses) -> list[str]:
    """Say what of the user's is touched by a removal."""
    lines: list[str] = []
    for title, paths in (
        ("You edited these files, and they are deleted:", found.edited),
        ("These files of yours lie in its folders, and stay:", found.own),
        ("This code of yours imports what is removed:", found.importing),
    ):
        if paths:
            lines += [title, *(f"  {path}" for path in paths)]
    return lines


def downgrades(branches: Sequence[str]) -> list[str]:
    """Say how to take the tables of removed modules back."""
    if not branches:
        return []
    return [
        "BEFORE you remove it, take its tables back in every database that has them, while its migrations are still",
        "there (this deletes their rows; later every `app db` command would fail):",
        *(f"  uv run app db downgrade {branch}@base" for branch in branches),
    ]


def settings(before: Iterable[Piece], after: Iterable[Piece]) -> list[str]:
    """Name the settings that come and go; `.env` itself is the user's."""
    old = {setting.name: setting for piece in before for setting in piece.settings}
    new = {setting.name: setting for piece in after for setting in piece.settings}
    come, go = [name for name in new if name not in old], [name for name in old if name not in new]
    lines: list[str] = []
    if come:
        lines += ["New settings, for .env and wherever it is deployed:"]
        lines += [f"  {name}  {new[name].help}" for name in come]
    if go:
        lines += [f"No longer read, delete them from .env: {', '.join(go)}"]
    return lines


def answers(before: Answers, after: Answers) -> list[str]:
    """Name the answers that a new version added, changed or dropped."""
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
    """List what the user has to resolve."""
    if not outcome.conflicts:
        return []
    return ["Conflicts between your edits and the template's:", *(f"  {conflict}" for conflict in outcome.conflicts)]


def next_steps(project: Project, outcome: Outcome, message: str, *, synced: bool) -> list[str]:
    """Say how to look at the changes, keep them, or undo them."""
    steps: list[tuple[str, str]] = []
    if outcome.conflicts:
        steps += [("git diff", "the conflicts: edit the files, delete the markers, then `git add` them")]
    steps += [("git diff --staged", "look at what changed")]
    if not synced:
        steps += [("uv sync", "install what it needs")]
    if any(change.path.startswith(MIGRATIONS) and change.kind != "D" for change in outcome.changes):
        steps += [("uv run app db upgrade", "create its tables")]
    steps += [(f'git commit -m "{message}"', "keep it")]
    undo = "git reset --hard" if project.root == project.top else "git restore --source=HEAD --staged --worktree ."
    steps += [(f"{undo} && uv sync", "or undo all of it")]
    width = max(len(command) for command, _ in steps)
    return ["Nothing is committed yet. Next:", *(f"  {command:<{width}}  {why}" for command, why in steps)]


def _shown(value: str | bool) -> str:  # noqa: FBT001 - an answer
    return str(value).lower() if isinstance(value, bool) else repr(value)
