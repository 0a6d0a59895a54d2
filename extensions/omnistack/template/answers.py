"""From answers to chosen pieces, by Copier's own reading of `copier.yml`: nothing of it is described twice."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from omnistack.shell.errors import OmniError
from omnistack.template.catalog import Answer, Catalog, Question, suggest
from omnistack.template.source import Template

TRUE = {"true", "yes", "on", "y", "1"}
FALSE = {"false", "no", "off", "n", "0"}


@dataclass(frozen=True)
class Evaluation:
    """A whole, valid set of answers and what follows from it."""

    answers: dict[str, Answer]
    """Every answer that a project records, defaults included."""
    chosen: tuple[str, ...]
    """The names of the pieces, a requirement before what requires it."""


class Questionnaire:
    """The questions of one version of the template."""

    def __init__(self, template: Template) -> None:
        # Copier takes half a second to import, which commands that evaluate nothing need not wait for.
        from omnistack.template.copier_questions import CopierQuestions, RefusedError

        self.catalog = template.catalog
        self._copier = CopierQuestions.of(template.root)
        self._refused = RefusedError

    def evaluate(self, given: Mapping[str, object]) -> Evaluation:
        """Complete the given answers with defaults, validate all, and tell which pieces follow.

        Raises OmniError naming the question, what is wrong with its answer, and what it may be.
        """
        try:
            combined = self._copier.answer_all(parse(given, self.catalog))
        except self._refused as error:
            raise self._explained(str(error)) from error
        final = parse({name: combined[name] for name in self.catalog.questions if name in combined}, self.catalog)
        # Copier validates a question before the ones behind it are answered: look again now that all are.
        for name, value in final.items():
            problem = self.problem(name, value, final)
            if problem:
                raise OmniError(f"{name}: {problem}")
        chosen = combined["chosen"]
        return Evaluation(answers=final, chosen=tuple(chosen) if isinstance(chosen, list) else ())

    def problem(self, name: str, value: Answer, answers: Mapping[str, Answer]) -> str | None:
        """Say what is wrong with one answer beside the others, in the words of its validator."""
        try:
            self._copier.check(name, value, answers)
        except self._refused as error:
            return _reason(str(error))
        return None

    def default(self, name: str, answers: Mapping[str, Answer]) -> Answer:
        """Give the default of a question after the answers before it; it need not be valid."""
        return self._copier.default(name, answers)

    def is_asked(self, name: str, answers: Mapping[str, Answer]) -> bool:
        """Tell whether the answers before it leave a question open; a preset answers some."""
        return self._copier.question(name, answers).get_ask()

    def help(self, name: str, answers: Mapping[str, Answer]) -> str:
        """Give a question's text."""
        return str(self._copier.question(name, answers).get_message()).strip()

    def _explained(self, text: str) -> OmniError:
        for name in self.catalog.questions:
            if f"'{name}'" in text.partition(":")[0]:
                return OmniError(f"{name}: {_reason(text)}", f"answer it with -d {name}=…")
        return OmniError(f"the questions cannot be answered: {text}")


def parse(given: Mapping[str, object], catalog: Catalog) -> dict[str, Answer]:
    """Turn what people wrote into answers of the right type; an unknown key or value is one clear error."""
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
        raise OmniError(f"{question.name}: {value!r} is no text", "put it in quotes")
    # YAML reads an unquoted 3.12 as a number.
    text = str(value)
    if question.choices and text not in question.values:
        allowed = ", ".join(choice.value for choice in question.choices)
        raise OmniError(f"{question.name}: {text!r} is not one of its answers", f"choose one of {allowed}")
    return text


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Read `key=value` arguments; a later one wins."""
    answers: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise OmniError(f"-d {pair}: this is no answer", "write it as key=value, like -d auth=clerk")
        answers[name.strip()] = value
    return answers


def read_answers(file: Path) -> dict[str, object]:
    """Read answers from a YAML or JSON file; what Copier records of itself (`_commit`, `_src_path`) is left out."""
    try:
        text = file.read_text(encoding="utf-8")
        # JSON may hold tabs, which YAML refuses.
        document = json.loads(text) if file.suffix == ".json" else yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise OmniError(f"the answers file {file} cannot be read: {reason}", "give another with --answers") from error
    except (yaml.YAMLError, json.JSONDecodeError) as error:
        kind = "JSON" if file.suffix == ".json" else "YAML"
        raise OmniError(f"the answers file {file} is no {kind}: {error}", "correct it") from error
    if not isinstance(document, dict):
        raise OmniError(f"the answers file {file} holds no answers", "write one `key: value` a line")
    return {str(key): value for key, value in document.items() if not str(key).startswith("_")}


def _reason(text: str) -> str:
    text = " ".join(text.split())
    for lead in ("Validation error for question", "Invalid choice for"):
        if text.startswith(lead):
            return text.partition("': ")[2]
    return text
