"""The commands that change a rendered project: `add`, `remove`, `update`."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import typer

from omnistack.change import report
from omnistack.change.affected_files import Losses, find_losses
from omnistack.change.apply import LOCK_FILE, landed, require_room
from omnistack.change.conflicts import EDITED_AND_REMOVED, Conflict
from omnistack.change.plan import Plan, plan_add, plan_remove
from omnistack.change.trial import CURRENT, Outcome, rehearse
from omnistack.shell.errors import OmniError
from omnistack.shell.git import plumb
from omnistack.shell.process import run
from omnistack.shell.progress import working
from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import Piece
from omnistack.template.origin import Origin, open_origin
from omnistack.template.project import Project, open_project

PiecesArgument = Annotated[list[str], typer.Argument(metavar="PIECE...", help="Names, as `omnistack list` shows them.")]
ProjectOption = Annotated[Path, typer.Option("--project", metavar="DIR", help="The rendered project.")]
MovedOption = Annotated[
    str | None,
    typer.Option("--template", metavar="PATH_OR_URL", help="Where the template is now, if it has moved; recorded."),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before files that you edited are deleted.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Show what would happen to which file, and stop.")]
NoSyncOption = Annotated[bool, typer.Option("--no-sync", help="Do not run `uv sync` afterwards.")]

ADD_HELP = """\
Add PIECE... to a project, with all that it needs.

\b
    omnistack add projects
    omnistack add clerk --dry-run      a provider takes the place of the one before
"""
REMOVE_HELP = """\
Remove PIECE... from a project.

Its files are deleted, also those that you edited: they are listed, and you are asked first. Its tables are taken back
by `app db downgrade`, which has to be run before.

\b
    omnistack remove projects
"""
UPDATE_HELP = """\
Bring a project to the newest version of its template, or to another.

Your own edits are merged. Where both changed the same lines, the files are listed and the exit status is 1.

\b
    omnistack update
    omnistack update --to v1.4.0 --dry-run
"""


@dataclass(frozen=True)
class Options:
    """How a change is carried out."""

    yes: bool
    dry_run: bool
    sync: bool
    message: str
    """For the commit that the user makes of it."""


def register(app: typer.Typer) -> None:
    """Add the commands to the program."""
    app.command("add", help=ADD_HELP)(add)
    app.command("remove", help=REMOVE_HELP)(remove)
    app.command("update", help=UPDATE_HELP)(update)


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
    found = open_project(project)
    found.require_clean()
    options = Options(yes, dry_run, not no_sync, f"Add {', '.join(pieces)}")
    with open_origin(found, template) as origin:
        _require_known(origin, found, pieces)
        plan = plan_add(Questionnaire(origin.template), found.answers, pieces)
        return _switch(found, origin, plan, options)


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
    found = open_project(project)
    found.require_clean()
    options = Options(yes, dry_run, not no_sync, f"Remove {', '.join(pieces)}")
    with open_origin(found, template) as origin:
        plan = plan_remove(Questionnaire(origin.template), found.answers, pieces)
        return _switch(found, origin, plan, options)


def update(
    *,
    to: Annotated[str | None, typer.Option("--to", metavar="REF", help="A tag, branch or commit.")] = None,
    project: ProjectOption = Path(),
    template: MovedOption = None,
    dry_run: DryRunOption = False,
    no_sync: NoSyncOption = False,
) -> int:
    """Bring a project to another version of its template."""
    found = open_project(project)
    found.require_clean()
    with open_origin(found, template) as origin:
        commit = _target(found, origin, to)
        if commit is None:
            return 0
        before = _chosen(Questionnaire(origin.template), found)
        with _rehearsed(found, origin, commit, {}) as outcome, origin.at(commit) as newer:
            lost = find_losses(found, origin.template, outcome, ())
            also = tuple(Conflict(path, note=EDITED_AND_REMOVED) for path in lost.edited)
            report.say([f"{found.version} -> {outcome.version}", *report.answers(found.answers, outcome.answers)])
            after = _chosen(Questionnaire(newer), replace(found, answers=outcome.answers))
            options = Options(yes=True, dry_run=dry_run, sync=not no_sync, message=f"Update to {outcome.version}")
            result = replace(outcome, conflicts=(*outcome.conflicts, *also))
            return _carry_out(found, result, options, report.settings(before, after))


def _require_known(origin: Origin, project: Project, pieces: Sequence[str]) -> None:
    """Refuse names that the project's version does not know, and say where a newer one does."""
    unknown = [name for name in pieces if name not in origin.template.catalog]
    if not unknown:
        return
    newest = origin.newest()
    with origin.at(origin.resolve(newest)) as newer:
        if all(name in newer.catalog for name in unknown):
            raise OmniError(
                f"this project is from version {project.version}, which has no {' and no '.join(unknown)}",
                f"{origin.describe(newer.commit)} has: run `omnistack update` first",
            )
    origin.template.catalog.piece(unknown[0])


def _target(project: Project, origin: Origin, to: str | None) -> str | None:
    """Find the commit to go to; none when there is nothing to do."""
    current = origin.template.commit
    name = origin.newest() if to is None else to
    target = origin.resolve(name)
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
        f"{to} is older than the project's version, {project.version}, and there is no way back in the template",
        "go back in the project's own history with git",
    )


def _chosen(questions: Questionnaire, project: Project) -> list[Piece]:
    return [questions.catalog.piece(name) for name in questions.evaluate(project.answers).chosen]


def _switch(project: Project, origin: Origin, plan: Plan, options: Options) -> int:
    report.say(plan.notes)
    if not plan.answers:
        report.say(["Nothing to do."])
        return 0
    with _rehearsed(project, origin, CURRENT, plan.answers) as outcome:
        lost = find_losses(project, origin.template, outcome, plan.removed)
        warnings = [*report.losses(lost), *report.downgrades(plan.downgrades)]
        report.say(warnings)
        if not options.dry_run:
            require_room(project, outcome)
            _confirm(lost, plan, options)
        return _carry_out(project, outcome, options, report.settings(plan.before, plan.after))


def _confirm(lost: Losses, plan: Plan, options: Options) -> None:
    """Ask before anything goes that only the user can decide on."""
    if options.yes or not (lost.edited or lost.own or lost.importing or plan.downgrades):
        return
    names = ", ".join(piece.name for piece in plan.removed)
    if not sys.stdin.isatty():
        raise OmniError(
            f"removing {names} has consequences (listed above) and there is no terminal to ask on",
            "look at them, then run the command again with --yes",
        )
    if not typer.confirm(f"Remove {names} now?"):
        raise OmniError("nothing was changed", "")


@contextmanager
def _rehearsed(project: Project, origin: Origin, ref: str, answers: Mapping[str, str | bool]) -> Iterator[Outcome]:
    with ExitStack() as stack:
        with working("Trying it out on a copy of the project"):
            outcome = stack.enter_context(rehearse(project, source=origin.source, ref=ref, answers=answers))
        yield outcome


def _carry_out(project: Project, outcome: Outcome, options: Options, settings: list[str]) -> int:
    status = 1 if outcome.conflicts else 0
    if options.dry_run:
        report.say(
            [
                *report.files(outcome),
                *report.conflicts(outcome),
                *settings,
                f"Would be {report.totals(outcome)}; nothing is done",
            ]
        )
        return status
    with landed(project, outcome):
        synced = _sync(project, outcome, options)
    report.say([f"Files: {report.totals(outcome)}", *settings, *report.conflicts(outcome)])
    report.say(report.next_steps(project, outcome, options.message, synced=synced))
    if options.sync and not synced and not outcome.conflicts:
        return 1
    return status


def _sync(project: Project, outcome: Outcome, options: Options) -> bool:
    """Install what the project needs now, and stage the lock file beside the rest; tell whether that was done."""
    manifests = {"pyproject.toml", LOCK_FILE}
    if not options.sync or manifests & {conflict.path for conflict in outcome.conflicts}:
        return False
    try:
        with working("Installing what it needs"):
            run(["uv", "sync"], cwd=project.root)
    except OmniError as error:
        typer.echo(f"warning: the files are changed, but: {error}", err=True)
        return False
    plumb(project.root, "add", "--", LOCK_FILE, retcodes=(0, 1))  # 1: the project ignores its lock file
    return True
