"""The commands that change a rendered project: `add`, `remove`, `update`."""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from omnistack.change import report
from omnistack.change.affected_files import AffectedFiles, find_affected_files
from omnistack.change.apply import LOCK_FILE, applied, require_room
from omnistack.change.conflicts import EDITED_AND_REMOVED, Conflict
from omnistack.change.plan import Plan, plan_add, plan_remove
from omnistack.change.trial import Outcome, tried
from omnistack.shell.errors import OmniError
from omnistack.shell.git import git_bytes
from omnistack.shell.process import run
from omnistack.shell.progress import working
from omnistack.shell.terminal import confirm
from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import Piece
from omnistack.template.project import CommittedProject, open_project
from omnistack.template.source import Origin, open_origin

PiecesArgument = Annotated[
    list[str], typer.Argument(metavar="PIECE", help="Names of pieces, as `omnistack list` shows them.")
]
ProjectOption = Annotated[
    Path, typer.Option("--project", metavar="DIR", help="The project. Default: the one that you are in.")
]
MovedOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="PATH_OR_URL",
        help="Where the template is now, if it has moved; it is recorded in the project.",
    ),
]
YesOption = Annotated[
    bool, typer.Option("--yes", "-y", help="Don't ask for confirmation before files that you edited are deleted.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Show what would happen to each file, and change nothing.")
]
NoSyncOption = Annotated[bool, typer.Option("--no-sync", help="Don't run `uv sync` afterwards.")]

ADD_HELP = """\
Add pieces to a project, with everything that they require.

A provider replaces the current provider of its port: `omnistack add clerk`, `omnistack add console`.

\b
    omnistack add projects
    omnistack add clerk --dry-run
"""
REMOVE_HELP = """\
Remove pieces from a project.

Their files are deleted. Files that you edited are listed first, and you are asked to confirm. If a piece has tables,
drop them with `app db downgrade` before you remove it; the command is shown.

\b
    omnistack remove projects
    omnistack remove projects --dry-run
"""
UPDATE_HELP = """\
Update a project to the newest version of its template, or to another one.

Your edits are merged. If you and the template changed the same lines, the files are listed and the exit status is 1.

\b
    omnistack update
    omnistack update --to v1.4.0 --dry-run
"""


@dataclass(frozen=True)
class Options:
    """The options of a change."""

    yes: bool
    dry_run: bool
    sync: bool
    message: str
    """The suggested commit message."""


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("add", help=ADD_HELP, short_help="Add pieces to a project.")(add)
    app.command("remove", help=REMOVE_HELP, short_help="Remove pieces from a project.")(remove)
    app.command("update", help=UPDATE_HELP, short_help="Update a project to a newer version of its template.")(update)


def add(
    pieces: PiecesArgument,
    *,
    project: ProjectOption = Path(),
    template: MovedOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    no_sync: NoSyncOption = False,
) -> int:
    """Add pieces to a project."""
    options = Options(yes, dry_run, not no_sync, f"Add {', '.join(pieces)}")
    return _switch(project, template, options, partial(_plan_add, pieces=pieces))


def remove(
    pieces: PiecesArgument,
    *,
    project: ProjectOption = Path(),
    template: MovedOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    no_sync: NoSyncOption = False,
) -> int:
    """Remove pieces from a project."""
    options = Options(yes, dry_run, not no_sync, f"Remove {', '.join(pieces)}")
    return _switch(project, template, options, partial(_plan_remove, pieces=pieces))


def update(
    *,
    to: Annotated[str | None, typer.Option("--to", metavar="REF", help="A tag, branch or commit.")] = None,
    project: ProjectOption = Path(),
    template: MovedOption = None,
    dry_run: DryRunOption = False,
    no_sync: NoSyncOption = False,
) -> int:
    """Update a project to another version of its template."""
    found = open_project(project)
    found.require_clean()
    with open_origin(found, template) as origin:
        commit = _target(found, origin, to)
        if commit is None:
            return 0
        before = _chosen(Questionnaire(origin.template), found)
        with _tried(found, origin, commit, {}) as outcome, origin.at(commit) as newer:
            affected = find_affected_files(found, origin.template, outcome, ())
            also = tuple(Conflict(path, note=EDITED_AND_REMOVED) for path in affected.edited)
            report.say([f"{found.version} -> {outcome.version}", *report.answers(found.answers, outcome.answers)])
            after = _chosen(Questionnaire(newer), replace(found, answers=outcome.answers))
            options = Options(yes=True, dry_run=dry_run, sync=not no_sync, message=f"Update to {outcome.version}")
            result = replace(outcome, conflicts=(*outcome.conflicts, *also))
            return _apply(found, result, options, report.settings(before, after))


def _plan_add(project: CommittedProject, origin: Origin, *, pieces: Sequence[str]) -> Plan:
    _require_known(origin, project, pieces)
    return plan_add(Questionnaire(origin.template), project.answers, pieces)


def _plan_remove(project: CommittedProject, origin: Origin, *, pieces: Sequence[str]) -> Plan:
    return plan_remove(Questionnaire(origin.template), project.answers, pieces)


def _require_known(origin: Origin, project: CommittedProject, pieces: Sequence[str]) -> None:
    """Refuse pieces that the project's version does not have, and name the version that has them."""
    unknown = [name for name in pieces if name not in origin.template.catalog]
    if not unknown:
        return
    newest = origin.newest()
    with origin.at(origin.template.resolve(newest)) as newer:
        if all(name in newer.catalog for name in unknown):
            raise OmniError(
                f"this project is at version {project.version}, which has no piece {' or '.join(unknown)}",
                f"{origin.describe(newer.commit)} has it: run `omnistack update` first",
            )
    origin.template.catalog.piece(unknown[0])


def _target(project: CommittedProject, origin: Origin, to: str | None) -> str | None:
    """Return the commit to update to; none if there is nothing to do."""
    current = origin.template.commit
    name = origin.newest() if to is None else to
    target = origin.template.resolve(name)
    if not origin.contains(target, current):
        return target
    if origin.source != project.source and to is None:
        return current
    if target == current:
        report.say(
            [f"Nothing to do: the project is at {project.version}{'' if to is not None else ', the newest version'}."]
        )
        return None
    if to is None:
        report.say(
            [f"Nothing to do: the project is at {project.version}, which is newer than the last release, {name}."]
        )
        return None
    raise OmniError(
        f"{to} is older than the project's version, {project.version}, and a project cannot be downgraded",
        "to undo an update, use the project's own git history",
    )


def _chosen(questions: Questionnaire, project: CommittedProject) -> list[Piece]:
    return [questions.catalog.piece(name) for name in questions.evaluate(project.answers).chosen]


def _switch(
    folder: Path, template: str | None, options: Options, plan_for: Callable[[CommittedProject, Origin], Plan]
) -> int:
    """Change the answers of a project as planned, and return the exit status."""
    project = open_project(folder)
    project.require_clean()
    with open_origin(project, template) as origin:
        plan = plan_for(project, origin)
        report.say(plan.notes)
        if not plan.answers:
            report.say(["Nothing to do."])
            return 0
        with _tried(project, origin, None, plan.answers) as outcome:
            affected = find_affected_files(project, origin.template, outcome, plan.removed)
            report.say([*report.affected(affected), *report.downgrades(plan.downgrades)])
            if not options.dry_run:
                require_room(project, outcome)
                _confirm(affected, plan, options)
            return _apply(project, outcome, options, report.settings(plan.before, plan.after))


def _confirm(affected: AffectedFiles, plan: Plan, options: Options) -> None:
    """Ask before the user's edits are deleted, or tables are left behind."""
    if options.yes or not (affected.edited or affected.own or affected.importing or plan.downgrades):
        return
    names = ", ".join(piece.name for piece in plan.removed)
    if not sys.stdin.isatty():
        raise OmniError(
            f"removing {names} needs your confirmation (see above), and there is no terminal to ask in",
            "check the list, then run the command again with --yes",
        )
    if not confirm(f"Remove {names} now?"):
        raise OmniError("nothing was changed")


@contextmanager
def _tried(
    project: CommittedProject, origin: Origin, ref: str | None, answers: Mapping[str, str | bool]
) -> Iterator[Outcome]:
    with ExitStack() as stack:
        with working("Trying the change on a copy of the project"):
            outcome = stack.enter_context(tried(project, origin, ref=ref, answers=answers))
        yield outcome


def _apply(project: CommittedProject, outcome: Outcome, options: Options, settings: list[str]) -> int:
    status = 1 if outcome.conflicts else 0
    if options.dry_run:
        report.say(
            [
                *report.files(outcome),
                *report.conflicts(outcome),
                *settings,
                f"Would be {report.totals(outcome)}. Nothing was changed: this was a dry run.",
            ]
        )
        return status
    with applied(project, outcome):
        synced = _sync(project, outcome, options)
    report.say([f"Files: {report.totals(outcome)}", *settings, *report.conflicts(outcome)])
    report.say(report.next_steps(project, outcome, options.message, synced=synced))
    if options.sync and not synced and not outcome.conflicts:
        return 1
    return status


def _sync(project: CommittedProject, outcome: Outcome, options: Options) -> bool:
    """Install the packages and stage the lock file; return whether that was done."""
    manifests = {"pyproject.toml", LOCK_FILE}
    if not options.sync or manifests & {conflict.path for conflict in outcome.conflicts}:
        return False
    try:
        with working("Installing the packages"):
            run(["uv", "sync"], cwd=project.root)
    except OmniError as error:
        typer.echo(f"warning: the files were changed, but the packages could not be installed: {error}", err=True)
        return False
    git_bytes(project.root, "add", "--", LOCK_FILE, ok=(0, 1))  # 1: the project ignores its lock file
    return True
