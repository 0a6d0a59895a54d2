"""What a rendered project says of its origin, for commands that only look."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.template.answers import Evaluation, Questionnaire
from omnistack.template.project import ANSWERS_FILE, parse_answers, public_answers
from omnistack.template.source import Template, open_template


@dataclass(frozen=True)
class Recorded:
    """A project's folder and its answers file."""

    root: Path
    source: str | None
    """Where its template was; nothing where it was a folder without git."""
    version: str | None
    answers: dict[str, str | bool]

    @contextmanager
    def template(self, elsewhere: str | None = None) -> Iterator[Template]:
        """Open the template at the version that the project was rendered from."""
        try:
            with open_template(elsewhere or self.source, self.version) as template:
                yield template
        except OmniError as error:
            if elsewhere is None and not Path(self.source or "").exists():
                raise OmniError(
                    f"the project's template is not at {self.source} any more", "say where it is with --template"
                ) from error
            raise

    def evaluate(self, template: Template) -> Evaluation:
        """Tell which pieces it has; an answer to a question that this version lacks is no matter."""
        known = {name: value for name, value in self.answers.items() if name in template.catalog.questions}
        return Questionnaire(template).evaluate(known)


def find_root(path: Path) -> Path:
    """Find the project that a file or folder lies in."""
    start = path.expanduser().absolute()
    for folder in (start, *start.parents):
        if (folder / ANSWERS_FILE).is_file():
            return folder
    raise OmniError(
        f"{path} is in no project rendered from this template: no {ANSWERS_FILE} is there or above",
        "name a file of a project, or run the command in one",
    )


def read_project(root: Path) -> Recorded:
    """Read the answers file in a project's folder."""
    file = root.expanduser().resolve() / ANSWERS_FILE
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise OmniError(
            f"{root} is no project rendered from this template: it has no {ANSWERS_FILE}", "name another folder"
        ) from error
    document = parse_answers(text, file)
    source, version = document.get("_src_path"), document.get("_commit")
    return Recorded(
        root=file.parent,
        source=str(source) if source else None,
        version=str(version) if version else None,
        answers=public_answers(document),
    )
