"""Copier's evaluation of the questions, without a terminal and without rendering.

Tests compare the results with the answers that a real copy records.
"""

import warnings
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path

from copier.errors import CopierError

from omnistack.template.catalog import Answer
from omnistack.template.copier_api import (
    MISSING,
    AnswersMap,
    CopierTemplate,
    FolderTemplate,
    Question,
    SandboxedEnvironment,
    UnsetError,
    Worker,
)


class RefusedError(Exception):
    """Copier refused an answer; the message is Copier's."""


class CopierQuestions(Worker):
    """A Copier worker that neither asks nor renders."""

    @cached_property
    def template(self) -> CopierTemplate:
        """The template in its folder."""
        return FolderTemplate(url=str(self.src_path))

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        """Copier's environment with a cache of compiled texts, which are nearly the whole cost of an evaluation."""
        env = super().jinja_env
        env.from_string = cache(env.from_string)  # type: ignore[assignment]  # an instance's own, cached method
        return env

    @classmethod
    def of(cls, root: Path) -> "CopierQuestions":
        """Read the questions of a template's folder."""
        return cls(src_path=str(root), dst_path=root / "nowhere", defaults=True, quiet=True)

    def answer_all(self, given: Mapping[str, Answer]) -> Mapping[str, object]:
        """Complete the given answers as a copy with defaults does; hidden questions are included.

        Raises:
            RefusedError: an answer is not valid.
        """
        self.data = dict(given)
        try:
            with warnings.catch_warnings(action="ignore"):
                self._ask()
        except (ValueError, CopierError) as error:
            raise RefusedError(str(error)) from error
        return self.answers.combined

    def check(self, name: str, value: Answer, answers: Mapping[str, Answer]) -> None:
        """Check one answer beside the others.

        Raises:
            RefusedError: it is not valid.
        """
        question = self.question(name, {**answers, name: value})
        try:
            question.validate_answer(question.parse_answer(value))
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def default(self, name: str, answers: Mapping[str, Answer]) -> Answer:
        """Return the default of a question, given the answers before it; it may be invalid."""
        question = self.question(name, {key: value for key, value in answers.items() if key != name})
        try:
            default = question.render_value(question.settings.defaults.get(name, question.default))
        except UnsetError:
            return ""
        cast: Answer = question.cast_answer(default)
        return cast

    def question(self, name: str, answers: Mapping[str, Answer]) -> Question:
        """Return a question, rendered with the answers and the hidden questions before it."""
        self.data = dict(answers)
        self.answers = AnswersMap(init=dict(answers), metadata=self.template.metadata)
        for other, details in self.template.questions_data.items():
            # Only a question that may be hidden changes the answers of the later ones.
            if other != name and "when" not in details:
                continue
            question = Question(
                answers=self.answers,
                context=self._render_context(),
                jinja_env=self.jinja_env,
                settings=self.settings,
                var_name=other,
                **details,
            )
            if other == name:
                return question
            if not question.get_when():
                self.answers.hide(other)
                value = question.get_default()
                if value is not MISSING:
                    self.answers.user[other] = value
        raise KeyError(name)
