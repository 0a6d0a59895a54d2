"""Making a project: render, commit, install, each step told and none leaving a half."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from omnistack.new.dotenv import generated, write_dotenv
from omnistack.new.preview import describe_version, preview, show
from omnistack.new.repository import commit, init
from omnistack.new.staging import Stage, enclosing_repository, staged
from omnistack.shell.errors import OmniError
from omnistack.shell.process import CommandError, program, run
from omnistack.shell.progress import out, working
from omnistack.template.answers import Evaluation, Questionnaire, parse, parse_pairs, read_answers
from omnistack.template.catalog import Answer
from omnistack.template.copy import copy_template
from omnistack.template.source import Template, open_template


@dataclass(frozen=True)
class Wish:
    """What the command line asked for."""

    destination: Path
    given: Mapping[str, object]
    ask: bool
    dry_run: bool
    sync: bool
    start: bool


def collect(
    preset: str | None, file: Path | None, pairs: Iterable[str], *, defaults: bool
) -> tuple[Mapping[str, object], bool]:
    """Gather the given answers, and tell whether the rest may be asked."""
    from_file = read_answers(file) if file else {}
    chosen: dict[str, object] = {"preset": preset} if preset else {}
    given = {**from_file, **chosen, **parse_pairs(pairs)}
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not (defaults or given or file or terminal):
        raise OmniError(
            "the questions need a terminal", "add --defaults, or answer with --preset, -d key=value or --answers FILE"
        )
    return given, terminal and not defaults


def make(source: str | None, ref: str | None, wish: Wish) -> None:
    """Make a project from a version of the template, and serve it where that is wished."""
    for needed in ("git", *(["uv"] if wish.sync else [])):
        program(needed)
    with open_template(source, ref) as template:
        template.require_clean()
        made = _make(template, wish)
    if made and wish.start:
        from omnistack.new.serve import start

        start(made[0], str(made[1].answers.get("author_email") or "me@example.com"))


def _make(template: Template, wish: Wish) -> tuple[Path, Evaluation] | None:
    with staged(wish.destination) as stage:
        evaluation = _answer(template, wish)
        with working("Rendering"):
            copy_template(template, evaluation.answers, stage.project)
        show(preview(template, evaluation, stage.project), stage.destination, template.catalog)
        outer = enclosing_repository(stage.destination)
        if outer:
            out().print(f"It lies inside the repository {outer}, and gets its own all the same.", markup=False)
        if wish.dry_run:
            out().print("Nothing was made: this was a dry run.")
            return None
        if wish.ask and not _confirmed():
            out().print("Nothing was made.")
            raise typer.Exit(1)
        trouble = _finish(template, evaluation, stage, wish)
    if trouble is None and wish.sync:
        trouble = _sync(stage.destination)
    _report(template, evaluation, stage.destination, wish, trouble)
    return stage.destination, evaluation


def _answer(template: Template, wish: Wish) -> Evaluation:
    with working("Reading the questions"):
        questionnaire = Questionnaire(template)
    given: Mapping[str, Answer] = parse(wish.given, template.catalog)
    if wish.ask:
        from omnistack.template.questions import ask

        name = wish.destination.expanduser().resolve().name.replace("-", " ").replace("_", " ").strip()
        given = ask(questionnaire, given, {"project_name": name.title()} if name else {})
    return questionnaire.evaluate(given)


def _confirmed() -> bool:
    from omnistack.template.questions import confirm

    return confirm("Make it?")


def _finish(template: Template, evaluation: Evaluation, stage: Stage, wish: Wish) -> CommandError | None:
    """Complete the staged project and move it into place; a failed lock is told, and no reason to lose the rest."""
    trouble: CommandError | None = None
    init(stage.project)
    write_dotenv(stage.project, generated(template.catalog, evaluation.chosen))
    if wish.sync:
        try:
            with working("Locking the packages"):
                run(["uv", "lock", "--quiet"], cwd=stage.project)
        except CommandError as error:
            trouble = error
    commit(
        stage.project,
        f"Start from OmniStack {template.version}",
        name=str(evaluation.answers.get("author_name") or "OmniStack"),
        email=str(evaluation.answers.get("author_email") or ""),
    )
    stage.move_into_place()
    return trouble


def _sync(project: Path) -> CommandError | None:
    try:
        with working("Installing the packages"):
            run(["uv", "sync", "--quiet", "--frozen"], cwd=project)
    except CommandError as error:
        return error
    except KeyboardInterrupt:
        out().print(f"{project} is made and committed; `uv sync` in it installs the packages.", markup=False)
        raise
    return None


def _report(
    template: Template, evaluation: Evaluation, project: Path, wish: Wish, trouble: CommandError | None
) -> None:
    console = out()
    console.print(f"\nMade {project} from OmniStack {describe_version(template)}.", markup=False, style="bold")
    console.print(
        f"{len(evaluation.chosen)} pieces, one commit. Its secrets are in .env, which git ignores.", markup=False
    )
    if trouble is not None:
        raise OmniError(
            f"{trouble.message}; the project itself is whole",
            f"go on with: cd {project} && uv sync && git add uv.lock && git commit -m 'Lock the packages'",
        )
    if not wish.start:
        sync = [] if wish.sync else ["uv sync && git add uv.lock && git commit -m 'Lock the packages'"]
        steps = [f"cd {project}", *sync, "uv run app dev"]
        console.print("\n" + "".join(f"  {step}\n" for step in steps), markup=False)
