"""Answers and the pieces that follow from them, evaluated by Copier from `copier.yml`."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from omnistack.shell.errors import OmniError
from omnistack.template.catalog import Answer, Catalog, Question, suggest
from omnistack.template.project import Project
from omnistack.template.source import Template

TRUE = {"true", "yes", "on", "y", "1"}
FALSE = {"false", "no", "off", "n", "0"}


@dataclass(frozen=True)
class Evaluation:
    """A complete, valid set of answers and the pieces that follow from it."""

    answers: dict[str, Answer]
    """Every answer that a project records, defaults included."""
    chosen: tuple[str, ...]
    """The names of the pieces, each after those that it requires."""


class Questionnaire:
    """The questions of one version of the template."""

    def __init__(self, template: Template) -> None:
        # Importing Copier takes half a second; commands that evaluate nothing do without.
        from omnistack.template.copier_questions import CopierQuestions, RefusedError

        self.catalog = template.catalog
        self._copier = CopierQuestions.of(template.root)
        self._refused = RefusedError

    def evaluate(self, given: Mapping[str, object]) -> Evaluation:
        """Complete the given answers with defaults, validate them, and return the chosen pieces.

        Raises:
            OmniError: an answer is not valid; it names the question, the problem and the valid answers.
        """
        try:
            combined = self._copier.answer_all(parse(given, self.catalog))
        except self._refused as error:
            raise self._explained(str(error)) from error
        final = parse({name: combined[name] for name in self.catalog.questions if name in combined}, self.catalog)
        # Copier validates each answer before the next questions are answered: validate again with all of them.
        for name, value in final.items():
            problem = self.problem(name, value, final)
            if problem:
                raise OmniError(f"{name}: {problem}")
        chosen = combined["chosen"]
        return Evaluation(answers=final, chosen=tuple(chosen) if isinstance(chosen, list) else ())

    def problem(self, name: str, value: Answer, answers: Mapping[str, Answer]) -> str | None:
        """Return the validator's message for one answer beside the others; none if it is valid."""
        try:
            self._copier.check(name, value, answers)
        except self._refused as error:
            return _reason(str(error))
        return None

    def default(self, name: str, answers: Mapping[str, Answer]) -> Answer:
        """Return the default of a question, given the answers before it; it may be invalid."""
        return self._copier.default(name, answers)

    def is_asked(self, name: str, answers: Mapping[str, Answer]) -> bool:
        """Return whether a question is asked after the answers before it; a preset answers some of them."""
        return self._copier.question(name, answers).get_ask()

    def help(self, name: str, answers: Mapping[str, Answer]) -> str:
        """Return the text of a question."""
        return str(self._copier.question(name, answers).get_message()).strip()

    def _explained(self, text: str) -> OmniError:
        for name in self.catalog.questions:
            if f"'{name}'" in text.partition(":")[0]:
                return OmniError(f"{name}: {_reason(text)}", f"give another answer with -d {name}=…")
        return OmniError(f"the questions could not be evaluated: {text}")


def evaluate_project(project: Project, template: Template) -> Evaluation:
    """Evaluate the recorded answers of a project, without those to questions that this version does not have."""
    known = {name: value for name, value in project.answers.items() if name in template.catalog.questions}
    return Questionnaire(template).evaluate(known)


def parse(given: Mapping[str, object], catalog: Catalog) -> dict[str, Answer]:
    """Convert given values into answers of the right type.

    Raises:
        OmniError: a question or a value does not exist.
    """
    answers: dict[str, Answer] = {}
    for name, value in given.items():
        question = catalog.questions.get(name)
        if question is None:
            raise OmniError(f"there is no question {name!r}", suggest(name, catalog.questions))
        answers[name] = _parse_bool(name, value) if question.type == "bool" else _parse_text(question, value)
    return answers


def _parse_bool(name: str, value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = str(value).strip().lower()
    if word in TRUE or word in FALSE:
        return word in TRUE
    raise OmniError(f"{name}: {value!r} is neither true nor false", f"write {name}=true or {name}=false")


def _parse_text(question: Question, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise OmniError(f"{question.name}: {value!r} is not a text", "put it in quotes")
    # YAML reads an unquoted 3.12 as a number.
    text = str(value)
    if question.choices and text not in question.values:
        allowed = ", ".join(choice.value for choice in question.choices)
        raise OmniError(f"{question.name}: {text!r} is not a valid answer", f"choose one of {allowed}")
    return text


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Read `key=value` arguments; a later one wins."""
    answers: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise OmniError(f"-d {pair}: the value is missing", "write key=value, for example -d auth=clerk")
        answers[name.strip()] = value
    return answers


def read_answers(file: Path) -> dict[str, object]:
    """Read answers from a YAML or JSON file, without Copier's own entries (`_commit`, `_src_path`)."""
    try:
        text = file.read_text(encoding="utf-8")
        # JSON may contain tabs, which YAML refuses.
        document = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise OmniError(
            f"the answers file {file} cannot be read: {reason}", "name another file with --answers"
        ) from error
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        kind = "JSON" if file.suffix == ".json" else "YAML"
        raise OmniError(f"the answers file {file} is not valid {kind}: {error}", "correct it") from error
    if not isinstance(document, dict):
        raise OmniError(f"the answers file {file} contains no answers", "write one `key: value` per line")
    return {str(key): value for key, value in document.items() if not str(key).startswith("_")}


def _reason(text: str) -> str:
    text = " ".join(text.split())
    for lead in ("Validation error for question", "Invalid choice for"):
        if text.startswith(lead):
            return text.partition("': ")[2]
    return text
