"""Random real renders, which show that the proof's conditions agree with what Copier writes.

Copier renders each answer set (in memory, `render.py`). The result must equal the product line's, byte for byte. Then
the render is checked by itself, with code that is independent of the proof.
"""

import ast
import json
import multiprocessing
import os
import random
import re
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml

from omnistack.prove.checks.owns import word_pattern
from omnistack.prove.model import Model
from omnistack.prove.source import Source, read_source
from omnistack.prove.space import SAMPLE_TEXT, Cond
from omnistack.prove.tree import Tree
from omnistack.shell.errors import OmniError
from omnistack.template.catalog import Answer
from omnistack.template.render import Renderer

MARKS = re.compile(r"(?<!\$)\{\{(?! ?(?:json )?\.[A-Z])|\{%|\{#")
"""The beginnings of what Jinja replaces. `${{` is GitHub's, and `{{.Size}}` a format of Docker."""
BATCH = 25


@dataclass(frozen=True)
class Problem:
    """A fault of one render."""

    answers: str
    """To paste behind `copier copy`."""
    message: str


@dataclass(frozen=True)
class Sampled:
    """The renders and their faults."""

    count: int
    complete: bool
    """Whether these are all valid answer sets."""
    problems: tuple[Problem, ...]


def draw(model: Model, count: int, seed: str, where: Cond | None = None) -> list[dict[str, Answer]]:
    """Draw valid answer sets at random, all of them if there are no more than `count`.

    `where` narrows them down: `model.given("projects", False)`, for example.
    """
    cond = model.valid if where is None else model.valid & where
    if model.space.count(cond) <= count:
        found = list(model.space.all_answers(cond))
    else:
        chance = random.Random(seed)  # noqa: S311 - a repeatable choice, not a secret
        found = [_one(model, cond, chance) for _ in range(count)]
    chance = random.Random(f"texts {seed}")  # noqa: S311 - as above
    for answers in found:
        answers |= {
            name: chance.choice(("", SAMPLE_TEXT)) for name in sorted(model.space.texts) if _may_be_empty(model, name)
        }
    return found


def _may_be_empty(model: Model, name: str) -> bool:
    return name in model.asked and model.asked[name].default == ""


def _one(model: Model, cond: Cond, chance: random.Random) -> dict[str, Answer]:
    """Draw one, each with the same chance."""
    answers: dict[str, Answer] = {}
    for name, variable in model.space.variables.items():
        options = {value: cond & option for value, option in variable.conditions.items()}
        weights = [model.space.count(option) for option in options.values()]
        (value,) = chance.choices(list(options), weights)
        answers[name], cond = value, options[value]
    return answers


def sample(source: Source, model: Model, count: int, seed: str, show: Callable[[int], None]) -> Sampled:
    """Render and check answer sets, one process for each core; `show` is called with the number done."""
    drawn = draw(model, count, seed)
    batches = [drawn[place : place + BATCH] for place in range(0, len(drawn), BATCH)]
    problems: list[Problem] = []
    done = 0
    with tempfile.TemporaryDirectory(prefix="omnistack-prove-") as folder:
        source.write(Path(folder))
        with ProcessPoolExecutor(
            min(os.cpu_count() or 1, len(batches)),
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_start,
            initargs=(folder,),
        ) as pool:
            for future in as_completed([pool.submit(_check_batch, batch) for batch in batches]):
                found, number = future.result()
                problems.extend(found)
                done += number
                show(done)
    complete = len(drawn) == model.space.count(model.valid)
    return Sampled(
        len(drawn), complete, tuple(sorted(problems, key=lambda problem: (problem.message, problem.answers)))
    )


class Sampler:
    """A renderer and checker in one process."""

    def __init__(self, folder: Path) -> None:
        self.model = Model(read_source(folder))
        self.tree = Tree(self.model)
        self._renderer = Renderer(folder)
        self._words = {
            word: re.compile(word_pattern(word)) for piece in self.model.pieces.values() for word in piece.owns
        }
        # Most texts recur in every render.
        self._said = lru_cache(maxsize=1 << 14)(self._find_words)

    def _find_words(self, text: str) -> frozenset[str]:
        lowered = text.lower()
        return frozenset(
            word for word, pattern in self._words.items() if word.lower() in lowered and pattern.search(text)
        )

    def check(self, answers: Mapping[str, Answer]) -> Iterator[str]:
        """Return the faults of the render of one answer set."""
        try:
            rendering = self._renderer.rendering(answers)
        except OmniError as error:
            yield str(error)
            return
        files = {path: file.text for path, file in rendering.files.items()}
        expected = self.tree.render(dict(answers))
        for path in files.keys() ^ expected.keys():
            yield f"{path} is {'rendered' if path in files else 'not rendered'}, which contradicts the proof"
        for path in files.keys() & expected.keys():
            if files[path] != expected[path]:
                yield f"{path} differs from the proof"
        chosen = set(rendering.answers.get("chosen") or ())
        yield from self._look_at(files, chosen)

    def _look_at(self, files: Mapping[str, str], chosen: set[str]) -> Iterator[str]:
        absent = {
            word: piece.name for piece in self.model.pieces.values() if piece.name not in chosen for word in piece.owns
        }
        rendered = {file.path for file in self.tree.files.values() if file.source.endswith(".jinja")}
        for path, text in files.items():
            problem = parses(path, text)
            if problem:
                yield f"{path} does not parse: {problem}"
            if path in rendered and MARKS.search(text):
                yield f"{path} contains unrendered Jinja"
            for word in absent.keys() & (self._said(path) | self._said(text)) if path != self.model.recorded else ():
                yield f"{path} contains the word {word!r}, which {absent[word]} owns"
        for module in re.findall(r"^from (app(?:\.\w+)+) import", files.get("app/modules.py", ""), re.MULTILINE):
            base = module.replace(".", "/")
            if f"{base}.py" not in files and f"{base}/__init__.py" not in files:
                yield f"app/modules.py imports {module}, which does not exist"


@lru_cache(maxsize=1 << 14)
def parses(path: str, text: str) -> str:
    """Return why a file cannot be parsed as its kind; empty if it can."""
    try:
        if path.endswith(".py"):
            ast.parse(text)
        elif path.endswith(".toml"):
            tomllib.loads(text)
        elif path.endswith((".yml", ".yaml")):
            list(yaml.safe_load_all(text))
        elif path.endswith(".json"):
            json.loads(text)
    except (SyntaxError, ValueError, yaml.YAMLError) as error:
        return " ".join(str(error).split())
    return ""


_STATE: dict[str, Sampler] = {}


def _start(folder: str) -> None:
    _STATE["sampler"] = Sampler(Path(folder))


def _check_batch(batch: list[dict[str, Answer]]) -> tuple[list[Problem], int]:
    sampler = _STATE["sampler"]
    found: list[Problem] = []
    for answers in batch:
        shown = " ".join(
            f"-d {name}={str(value).lower() if isinstance(value, bool) else value}"
            for name, value in answers.items()
            if value != ""
        )
        found.extend(Problem(shown, message) for message in sampler.check(answers))
    return found, len(batch)
