"""The creation of a project: render, commit, install. A step that fails leaves no incomplete project."""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from omnistack.new.dotenv import generated_secrets, write_dotenv
from omnistack.new.preview import describe_version, preview, show
from omnistack.new.repository import commit, hidden_by_outer_rules, init, require_ignored_dotenv
from omnistack.new.staging import Stage, enclosing_repository, staged
from omnistack.shell.errors import OmniError
from omnistack.shell.process import CommandError, program, quoted, run
from omnistack.shell.progress import out, working
from omnistack.template.answers import Evaluation, Questionnaire, parse, parse_pairs, read_answers
from omnistack.template.catalog import Answer
from omnistack.template.copy import copy_template
from omnistack.template.location import is_remote
from omnistack.template.source import Template, open_template


@dataclass(frozen=True)
class Request:
    """The options of the command line."""

    destination: Path
    given: Mapping[str, object]
    ask: bool
    dry_run: bool
    git: bool
    sync: bool
    start: bool


def collect_answers(
    preset: str | None, file: Path | None, pairs: Iterable[str], *, defaults: bool
) -> tuple[Mapping[str, object], bool]:
    """Collect the given answers, and return whether the other questions are asked."""
    from_file = read_answers(file) if file else {}
    chosen: dict[str, object] = {"preset": preset} if preset else {}
    given = {**from_file, **chosen, **parse_pairs(pairs)}
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if not (defaults or given or file or terminal):
        raise OmniError(
            "the questions can only be asked in a terminal",
            "add --defaults, or answer with --preset, -d key=value or --answers FILE",
        )
    return given, terminal and not defaults


def create(source: str | None, ref: str | None, request: Request) -> None:
    """Create a project from a version of the template, and serve it if `--start` is given."""
    for needed in ("git", *(["uv"] if request.sync else [])):
        program(needed)
    with open_template(source, ref) as template:
        template.require_clean()
        made = _create(template, request)
    if made and request.start:
        from omnistack.new.serve import start

        start(made[0], str(made[1].answers.get("author_email") or "me@example.com"))


def _create(template: Template, request: Request) -> tuple[Path, Evaluation] | None:
    with staged(request.destination) as stage:
        evaluation = _answer(template, request)
        with working("Rendering"):
            copy_template(template, evaluation.answers, stage.project)
        show(preview(template, evaluation, stage.project), stage.destination, template.catalog)
        _describe_repository(stage.destination, request)
        if request.dry_run:
            out().print("Nothing was created: this was a dry run.")
            return None
        if request.ask and not _confirmed():
            out().print("Nothing was created.")
            raise typer.Exit(1)
        failure = _finish(template, evaluation, stage, request)
    if failure is None and request.sync:
        failure = _sync(stage.destination)
    _report(template, evaluation, stage.destination, request, failure)
    return stage.destination, evaluation


def _describe_repository(destination: Path, request: Request) -> None:
    outer = enclosing_repository(destination)
    if not request.git and outer is None:
        raise OmniError(
            f"--no-git: {destination} is not inside a git repository, which updates need", "leave out --no-git"
        )
    if request.git and outer:
        out().print(
            f"It gets a repository of its own inside {outer}; --no-git makes it a folder of that repository instead.",
            markup=False,
        )


def _answer(template: Template, request: Request) -> Evaluation:
    with working("Reading the questions"):
        questionnaire = Questionnaire(template)
    given: Mapping[str, Answer] = parse(request.given, template.catalog)
    if request.ask:
        from omnistack.template.questions import ask

        name = request.destination.expanduser().resolve().name.replace("-", " ").replace("_", " ").strip()
        given = ask(questionnaire, given, {"project_name": name.title()} if name else {})
    return questionnaire.evaluate(given)


def _confirmed() -> bool:
    from omnistack.template.questions import confirm

    return confirm("Create this project?")


def _finish(template: Template, evaluation: Evaluation, stage: Stage, request: Request) -> CommandError | None:
    """Complete the staged project and move it into place; return the error if the packages could not be locked."""
    failure: CommandError | None = None
    if request.git:
        init(stage.project)
    require_ignored_dotenv(stage.project)
    write_dotenv(stage.project, generated_secrets(template.catalog, evaluation.chosen))
    if request.sync:
        try:
            with working("Locking the packages"):
                run(["uv", "lock", "--quiet"], cwd=stage.project)
        except CommandError as error:
            failure = error
    if request.git:
        commit(
            stage.project,
            f"Start from OmniStack {template.version}",
            name=str(evaluation.answers.get("author_name") or "OmniStack"),
            email=str(evaluation.answers.get("author_email") or ""),
        )
    stage.move_into_place()
    return failure


def _sync(project: Path) -> CommandError | None:
    try:
        with working("Installing the packages"):
            run(["uv", "sync", "--quiet", "--frozen"], cwd=project)
    except CommandError as error:
        return error
    except KeyboardInterrupt:
        out().print(f"{project} was created and committed. To install the packages, run `uv sync` in it.", markup=False)
        raise
    return None


def _report(
    template: Template, evaluation: Evaluation, project: Path, request: Request, failure: CommandError | None
) -> None:
    console = out()
    console.print(f"\nCreated {project} from OmniStack {describe_version(template)}.", markup=False, style="bold")
    committed = "One commit" if request.git else "Not committed yet"
    console.print(
        f"{len(evaluation.chosen)} pieces. {committed}. The secrets are in .env, which git ignores.", markup=False
    )
    if not is_remote(template.recorded_source):
        console.print(
            f"It records its template as {template.recorded_source}, a folder of this machine. For "
            "colleagues, push the template to a git server and record its URL: `omnistack update --template URL`.",
            markup=False,
        )
    lock = 'uv sync && git add uv.lock && git commit -m "Lock the packages"'
    if failure is not None:
        raise OmniError(
            f"{failure.message}; the project itself is complete", f"continue with: cd {quoted(project)} && {lock}"
        )
    if not request.start:
        keep = [] if request.git else _commit_steps(project)
        steps = [f"cd {quoted(project)}", *keep, *([] if request.sync else [lock]), "uv run app dev"]
        console.print("\n" + "".join(f"  {step}\n" for step in steps), markup=False)


def _commit_steps(project: Path) -> list[str]:
    """Return the commands that commit a project inside a larger repository, including files that it ignores."""
    hidden = hidden_by_outer_rules(project)
    force = [f"git add --force {' '.join(quoted(Path(path)) for path in hidden)}"] if hidden else []
    return [*force, 'git add . && git commit -m "Start from OmniStack"']
