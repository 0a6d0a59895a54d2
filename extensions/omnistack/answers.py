"""From answers to chosen pieces, by Copier's own reading of `copier.yml`: nothing of it is described twice.

This leans on Copier's private API, as nothing public evaluates a questionnaire without rendering; the dependency is
pinned and the tests compare the result with what a real copy records.
"""

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

import yaml
from copier._jinja_ext import SandboxedEnvironment, UnsetError
from copier._main import Worker
from copier._template import Template as CopierTemplate
from copier._types import MISSING
from copier._user_data import AnswersMap
from copier._user_data import Question as CopierQuestion
from copier.errors import CopierError

from omnistack.catalog import Answer, Catalog, Question, suggest
from omnistack.errors import OmniError
from omnistack.template import Template

TRUE = {"true", "yes", "on", "y", "1"}
FALSE = {"false", "no", "off", "n", "0"}


@dataclass(frozen=True)
class Evaluation:
    """A whole, valid set of answers and what follows from it."""

    answers: dict[str, Answer]
    """Every answer that a project records, defaults included."""
    chosen: tuple[str, ...]
    """The names of the pieces, a requirement before what requires it."""


class _CopierTemplate(CopierTemplate):
    """The folder as it lies: no clone, no version."""

    @cached_property
    def vcs(self) -> None:
        return None


class _Worker(Worker):
    """Asks nobody, renders nothing."""

    @cached_property
    def template(self) -> CopierTemplate:
        return _CopierTemplate(url=str(self.src_path))

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        env = super().jinja_env
        # Copier compiles every text anew each time it is asked for, which is nearly all that an evaluation costs.
        env.from_string = cache(env.from_string)  # type: ignore[assignment]  # an instance's own, cached method
        return env


class Questionnaire:
    """The questions of one version of the template."""

    def __init__(self, template: Template) -> None:
        self.catalog = template.catalog
        self._worker = _Worker(
            src_path=str(template.root), dst_path=template.root / "nowhere", defaults=True, quiet=True
        )

    def evaluate(self, given: Mapping[str, object]) -> Evaluation:
        """Complete the given answers with defaults, validate all, and tell which pieces follow.

        Raises OmniError naming the question, what is wrong with its answer, and what it may be.
        """
        answers = parse(given, self.catalog)
        self._worker.data = dict(answers)
        try:
            with warnings.catch_warnings(action="ignore"):
                self._worker._ask()  # noqa: SLF001 - see the module's docstring
        except (ValueError, CopierError) as error:
            raise self._refused(error) from error
        combined = self._worker.answers.combined
        final = {name: combined[name] for name in self.catalog.questions if name in combined}
        # Copier validates a question before the ones behind it are answered: look again now that all are.
        for name, value in final.items():
            problem = self.problem(name, value, final)
            if problem:
                raise OmniError(f"{name}: {problem}")
        return Evaluation(answers=final, chosen=tuple(combined["chosen"]))

    def problem(self, name: str, value: Answer, answers: Mapping[str, Answer]) -> str | None:
        """Say what is wrong with one answer beside the others, in the words of its validator."""
        question = self._question(name, {**answers, name: value})
        try:
            question.validate_answer(question.parse_answer(value))
        except ValueError as error:
            return _reason(error)
        return None

    def default(self, name: str, answers: Mapping[str, Answer]) -> Answer:
        """Give the default of a question after the answers before it; it need not be valid."""
        given = {key: value for key, value in answers.items() if key != name}
        question = self._question(name, given)
        try:
            default = question.render_value(question.settings.defaults.get(name, question.default))
        except UnsetError:
            return ""
        cast: Answer = question.cast_answer(default)
        return cast

    def is_asked(self, name: str, answers: Mapping[str, Answer]) -> bool:
        """Tell whether the answers before it leave a question open; a preset answers some."""
        return self._question(name, answers).get_ask()

    def help(self, name: str, answers: Mapping[str, Answer]) -> str:
        """Give a question's text."""
        return str(self._question(name, answers).get_message()).strip()

    def _question(self, name: str, answers: Mapping[str, Answer]) -> CopierQuestion:
        worker = self._worker
        worker.data = dict(answers)
        worker.answers = AnswersMap(init=dict(answers), metadata=worker.template.metadata)
        for other, details in worker.template.questions_data.items():
            question = CopierQuestion(
                answers=worker.answers,
                context=worker._render_context(),  # noqa: SLF001 - see the module's docstring
                jinja_env=worker.jinja_env,
                settings=worker.settings,
                var_name=other,
                **details,
            )
            if other == name:
                return question
            if not question.get_when():
                worker.answers.hide(other)
                value = question.get_default()
                if value is not MISSING:
                    worker.answers.user[other] = value
        raise OmniError(f"there is no question {name!r}", suggest(name, self.catalog.questions))

    def _refused(self, error: Exception) -> OmniError:
        text = str(error)
        for name in self.catalog.questions:
            if f"'{name}'" in text.partition(":")[0]:
                return OmniError(f"{name}: {_reason(error)}", f"answer it with -d {name}=…")
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


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    for lead in ("Validation error for question", "Invalid choice for"):
        if text.startswith(lead):
            return text.partition("': ")[2]
    return text
