"""Copier's own machinery for questions, driven without a terminal and without rendering.

This leans on Copier's private API, as nothing public evaluates a questionnaire without rendering; the dependency is
pinned and the tests compare the result with what a real copy records.
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
    """Copier does not take an answer; the text is Copier's."""


class CopierQuestions(Worker):
    """Asks nobody, renders nothing."""

    @cached_property
    def template(self) -> CopierTemplate:
        """The template's folder, as it lies."""
        return FolderTemplate(url=str(self.src_path))

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        """Copier's own environment, which compiles a text but once: that is nearly all that an evaluation costs."""
        env = super().jinja_env
        env.from_string = cache(env.from_string)  # type: ignore[assignment]  # an instance's own, cached method
        return env

    @classmethod
    def of(cls, root: Path) -> "CopierQuestions":
        """Read the questions of a template's folder."""
        return cls(src_path=str(root), dst_path=root / "nowhere", defaults=True, quiet=True)

    def answer_all(self, given: Mapping[str, Answer]) -> Mapping[str, object]:
        """Complete the given answers, hidden questions included, as a copy with defaults would."""
        self.data = dict(given)
        try:
            with warnings.catch_warnings(action="ignore"):
                self._ask()
        except (ValueError, CopierError) as error:
            raise RefusedError(str(error)) from error
        return self.answers.combined

    def check(self, name: str, value: Answer, answers: Mapping[str, Answer]) -> None:
        """Raise RefusedError where an answer is not valid beside the others."""
        question = self.question(name, {**answers, name: value})
        try:
            question.validate_answer(question.parse_answer(value))
        except ValueError as error:
            raise RefusedError(str(error)) from error

    def default(self, name: str, answers: Mapping[str, Answer]) -> Answer:
        """Give a question's default after the answers before it; it need not be valid."""
        question = self.question(name, {key: value for key, value in answers.items() if key != name})
        try:
            default = question.render_value(question.settings.defaults.get(name, question.default))
        except UnsetError:
            return ""
        cast: Answer = question.cast_answer(default)
        return cast

    def question(self, name: str, answers: Mapping[str, Answer]) -> Question:
        """Build a question as it stands after the answers, with the hidden ones before it computed."""
        self.data = dict(answers)
        self.answers = AnswersMap(init=dict(answers), metadata=self.template.metadata)
        for other, details in self.template.questions_data.items():
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
