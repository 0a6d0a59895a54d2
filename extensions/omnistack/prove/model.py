"""The feature model: which answer sets are valid and which pieces they choose, read from `copier.yml` and the catalog.

The model is not written down here: validators, defaults and computed answers are the questionnaire's own Jinja, run
once for all answer sets.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import yaml
from pydantic import ValidationError

from omnistack.prove.interpret import Interpreter
from omnistack.prove.source import Source
from omnistack.prove.space import SAMPLE_TEXT, Cond, Conditions, Space
from omnistack.prove.values import Choice as Options
from omnistack.prove.values import Opaque, RefusedError, Seq, Text, Value
from omnistack.shell.errors import OmniError
from omnistack.template.catalog import CATALOG_DIR, Answer, Choice, Piece, Question
from omnistack.template.copier_api import cast_to_bool
from omnistack.template.render import jinja_environment


@dataclass(frozen=True)
class Asked:
    """A question, its default after the answers before it, and when its validator lets the answers pass."""

    question: Question
    default: Value
    alone: Cond
    """Evaluated with only the earlier answers, as in an interactive session."""


class Model:
    """The questions, the pieces, and the conditions that follow from the answers."""

    def __init__(self, source: Source, space: Space | None = None, *, reverse: bool = False) -> None:
        self.source = source
        self.configuration = source.configuration()
        self.recorded = str(self.configuration.get("_answers_file", ".copier-answers.yml"))
        """The file that records all answers, "no" included."""
        self.documents = list(reversed(source.catalog())) if reverse else source.catalog()
        self.pieces = {piece.name: piece for piece in (_piece(document) for document in source.catalog())}
        questions = [_question(name, body) for name, body in self._bodies().items() if body.get("when") is not False]
        self.space = space if space is not None and space.is_of(questions) else Space(questions)
        self.interpreter = Interpreter(self.space, jinja_environment(source.root), source.text)
        self.answers: dict[str, Value] = {}
        self.names: dict[str, Value] = {
            "_copier_answers": {"_src_path": Opaque("_src_path", str(source.root))},
            "_copier_conf": {"answers_file": self.recorded, "data": {}},
        }
        self.asked: dict[str, Asked] = {}
        for name, body in self._bodies().items():
            self._answer(name, body)
        self.valid = self._validate()

    def _bodies(self) -> dict[str, dict[str, Value]]:
        return {name: body for name, body in self.configuration.items() if not name.startswith("_")}

    def _answer(self, name: str, body: dict[str, Value]) -> None:
        everything = self.space.everything
        if body.get("when") is False:
            default = self.documents if body["default"] == self.source.catalog() else body["default"]
            self.names[name] = self._parse(body.get("type", "yaml"), self._render(default, name, everything))
            return
        question = _question(name, body)
        default = self._parse(body["type"], self._render(body.get("default", ""), name, everything, question))
        value = self._free(question, default)
        alone = everything
        if question.values:
            alone = self._passes(name, body, {**self.names, name: value})
        self.asked[name] = Asked(question, default, alone)
        self.answers[name] = self.names[name] = value
        self.names["_copier_answers"] = {**self.names["_copier_answers"], name: value}

    def _free(self, question: Question, default: Value) -> Value:
        if question.values:
            variable = self.space.variables[question.name]
            return Options(tuple((cond, value) for value, cond in variable.conditions.items()))
        sample = default.sample if isinstance(default, Opaque) else str(default)
        if sample:
            return Opaque(question.name, sample)
        is_set = self.space.text_is_set(question.name)
        return Options(((is_set, Opaque(question.name, SAMPLE_TEXT, filled=True)), (self.space.without(is_set), "")))

    def _render(self, value: Value, name: str, cond: Cond, question: Question | None = None) -> Value:
        if not isinstance(value, str):
            return value
        names = self.names
        if question is not None and not question.values:
            # A free text changes only what is printed, so its default stands for every value.
            names = {key: each.sample if isinstance(each, Opaque) else each for key, each in names.items()}
        return self.interpreter.render(value, names, cond, f"copier.yml: {name}")

    def macro(self, path: str, name: str, *arguments: str) -> str:
        """Return the output of a macro. Arguments that it has no parameters for are left out."""
        macro = re.search(rf"macro {name}\(([^)]*)\)", self.source.text(path))
        number = len(macro[1].split(",")) if macro and macro[1].strip() else 0
        given = ", ".join(repr(argument) for argument in arguments[:number])
        call = f"{{% from '{path}' import {name} %}}{{{{ {name}({given}) }}}}"
        parts = self.interpreter.render(call, {}, self.space.everything, path).parts
        return "".join(part.text for part in parts if isinstance(part.text, str))

    def _parse(self, kind: str, value: Value) -> Value:
        everything = self.space.everything
        if not isinstance(value, Text):
            return value
        shown = [part for part in value.parts if not isinstance(part.text, str) or part.text.strip()]
        if kind in {"yaml", "json"} and len(shown) == 1 and isinstance(shown[0].text, Seq):
            # A list that is printed as JSON is parsed as that list.
            return shown[0].text
        parsers: dict[str, Callable[[str], Value]] = {
            "bool": cast_to_bool,
            "str": str,
            "yaml": yaml.safe_load,
            "json": yaml.safe_load,
        }
        if kind not in parsers:
            raise RefusedError(f"a question of type {kind} is not supported", "use str, bool or yaml")
        return self.interpreter.algebra.lift(everything, parsers[kind], value)

    def _passes(self, name: str, body: Mapping[str, Value], names: Mapping[str, Value]) -> Cond:
        validator = body.get("validator", "")
        if not validator:
            return self.space.everything
        text = self.interpreter.render(validator, names, self.space.everything, f"copier.yml: {name}: validator")
        refused = (part.cond for part in text.parts if not isinstance(part.text, str) or part.text.strip())
        return self.space.without(self.space.union(refused))

    def _validate(self) -> Cond:
        valid = self.space.everything
        for name, body in self._bodies().items():
            if name in self.asked and self.asked[name].question.values:
                valid = valid & self._passes(name, body, self.names)
        return valid

    @cached_property
    def chosen(self) -> Conditions[str]:
        """The condition under which each piece is chosen. May contain names that are not pieces."""
        value = self.names.get("chosen", [])
        conditions = Conditions[str](self.space)
        conditions.update(dict.fromkeys(self.pieces, self.space.nothing))
        for cond, name in self.interpreter.algebra.items(value, self.space.everything):
            conditions.add(name, cond)
        conditions.update({name: cond & self.valid for name, cond in conditions.items()})
        return conditions

    def given(self, name: str, value: Answer) -> Cond:
        """Return the condition of one answer; the empty one if the question does not have it."""
        variable = self.space.variables.get(name)
        return self.valid & variable.conditions.get(value, self.space.nothing) if variable else self.space.nothing

    def wanted(self, piece: Piece) -> Cond:
        """Return the condition under which a piece's own question chooses it; empty if only others require it."""
        question = self.asked.get(piece.port or piece.name)
        value: Answer = piece.name if piece.port else True
        if question is None or value not in question.question.values:
            return self.space.nothing
        return self.given(piece.port or piece.name, value)

    def preset_defaults(self, preset: str) -> dict[str, Answer]:
        """Return the answers of a preset."""
        here = self.space.variables["preset"].conditions[preset]
        found: dict[str, Answer] = {"preset": preset}
        for name, asked in self.asked.items():
            if name == "preset" or not asked.question.values:
                continue
            options = self.interpreter.algebra.options(asked.default, here)
            if len(options) == 1:
                found[name] = options[0][1]
        return found

    def counterexample(self, cond: Cond) -> str:
        """Return one answer set of a condition, as arguments to paste behind `copier copy`."""
        preset = self.space.variables.get("preset")
        custom = preset is not None and "custom" in preset.conditions
        preferred = self.preset_defaults("custom") if custom else {}
        picked = self.space.pick(cond & self.valid, preferred) or self.space.pick(cond, preferred) or {}
        if picked.get("preset") not in {None, "custom"}:
            preferred = self.preset_defaults(str(picked["preset"]))
        shown = {
            name: value
            for name, value in picked.items()
            if name == "preset" or (name in self.space.variables and preferred.get(name) != value)
        }
        shown |= {name: value for name, value in picked.items() if name not in self.space.variables and value}
        return " ".join(
            f"-d {name}={str(value).lower() if value in {True, False} else value}" for name, value in shown.items()
        )


def _piece(document: Value) -> Piece:
    try:
        return Piece.model_validate(document)
    except ValidationError as error:
        name = document.get("name", "?") if isinstance(document, dict) else "?"
        first = error.errors()[0]
        raise OmniError(f"{CATALOG_DIR}/{name}.yml: {first['loc']}: {first['msg']}", "correct the file") from error


def _question(name: str, body: Mapping[str, Value]) -> Question:
    raw = body.get("choices", ())
    if isinstance(raw, dict):
        choices = tuple(Choice(value=value, label=label) for label, value in raw.items())
    else:
        choices = tuple(Choice(value=value, label=value) for value in raw)
    return Question(
        name=name, type=body["type"], help=body.get("help", name), choices=choices, default=body.get("default", "")
    )
