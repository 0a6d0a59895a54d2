"""What is chosen is there, whole; of what is not chosen there is nothing."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from omnistack.template.catalog import Answer, Piece, load_catalog
from omnistack.template.render import Renderer, Rendering

ROOT = Path(__file__).resolve().parents[2]
CATALOG = load_catalog(ROOT)
NOTHING: dict[str, Answer] = {
    name: False for name, question in CATALOG.questions.items() if question.type == "bool"
} | {"preset": "custom"}
CHOOSING = sorted({question for piece in CATALOG.pieces if (question := piece.question) in CATALOG.questions})


BY_CHANCE = re.compile("allow_redisplay|FeatureDisabled")
"""Names that contain the name of a piece by chance, where one word of them ends and the next begins."""


def needed(piece: str) -> dict[str, Answer]:
    """The answers without which a piece cannot be chosen."""
    required = CATALOG.requires(piece) if piece in CATALOG else ()
    return {name: True for name in required if name in NOTHING}


def answer_sets() -> Iterator[tuple[str, Mapping[str, Answer]]]:
    """Nothing, each answer with what it needs, and every preset."""
    yield "nothing", NOTHING
    for name in CHOOSING:
        for value in CATALOG.questions[name].values:
            yield f"{name}={value}", NOTHING | needed(name if value is True else str(value)) | {name: value}
    for preset in CATALOG.presets:
        yield f"preset={preset}", {"preset": preset}


SETS = dict(answer_sets())


@cache
def renderer() -> Renderer:
    return Renderer(ROOT)


@cache
def rendering(name: str) -> Rendering:
    return renderer().rendering(SETS[name])


def chosen(name: str) -> list[Piece]:
    return [CATALOG.piece(piece) for piece in rendering(name).answers["chosen"]]


def not_chosen(name: str) -> list[Piece]:
    return [piece for piece in CATALOG.pieces if piece not in chosen(name)]


def requirements(name: str) -> tuple[set[str], set[str]]:
    """The project's runtime and development requirements."""
    project = tomllib.loads(rendering(name).files["pyproject.toml"].text)
    return set(project["project"]["dependencies"]), set(project["dependency-groups"]["dev"])


def tables(piece: Piece) -> set[str]:
    """The names of the tables that a piece's files in the template define."""
    found: set[str] = set()
    for path in piece.paths:
        for file in (ROOT / "template" / path).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                match node:
                    case ast.Assign(targets=[ast.Name(id="__tablename__")], value=ast.Constant(value=str(table))):
                        found.add(table)
                    case ast.AnnAssign(target=ast.Name(id="__tablename__"), value=ast.Constant(value=str(table))):
                        found.add(table)
    return found


@pytest.mark.parametrize("name", SETS)
def test_a_chosen_piece_is_there(name: str) -> None:
    files = rendering(name).files
    runtime, development = requirements(name)
    example = files[".env.example"].text
    names = {piece.name for piece in chosen(name)}
    # A path below the folder of another piece exists only with both.
    absent = [f"{folder}/" for other in CATALOG.pieces if other.name not in names for folder in other.paths]
    for piece in chosen(name):
        for path in piece.paths:
            if path.startswith(tuple(absent)):
                continue
            assert any(file == path or file.startswith(f"{path}/") for file in files), f"{piece.name}: {path}"
        assert set(piece.dependencies) <= runtime
        assert set(piece.dev_dependencies) <= development
        for setting in piece.settings:
            assert re.search(rf"^#? ?{setting.name}=", example, re.MULTILINE), f"{piece.name}: {setting.name}"
        if piece.module:
            assert f"from app.{piece.module}.module import" in files["app/modules.py"].text


@cache
def words_of(piece: str) -> tuple[str, ...]:
    """The words that appear nowhere without a piece."""
    found = CATALOG.piece(piece)
    words = [*found.owns, *(setting.name for setting in found.settings)]
    words += [f"app.{found.module}"] if found.module else []
    # As a whole name, or with a column: docstrings may begin with such a word.
    return (*words, *(f'"{table}{end}' for table in tables(found) for end in ('"', ".")))


@cache
def words_in(text: str) -> frozenset[str]:
    """The words of all pieces in a file; most files are the same in many projects."""
    text = BY_CHANCE.sub("", text)
    lowered = text.lower()
    # As in the proof: in a word with a capital letter the case counts.
    words = {word for piece in CATALOG.names for word in words_of(piece)}
    return frozenset(word for word in words if word in (lowered if word.islower() else text))


@pytest.mark.parametrize("name", SETS)
def test_of_a_piece_that_is_not_chosen_there_is_nothing(name: str) -> None:
    files = rendering(name).files
    required = {line for piece in chosen(name) for line in (*piece.dependencies, *piece.dev_dependencies)}
    declared = set().union(*requirements(name))
    # The answers file says which answers were given, "no" included.
    words = {path: words_in(f"{path}\n{file.text}") for path, file in files.items() if path != ".copier-answers.yml"}
    present = frozenset[str]().union(*words.values())
    for piece in not_chosen(name):
        assert not [file for path in piece.paths for file in files if file == path or file.startswith(f"{path}/")]
        assert not (declared & {*piece.dependencies, *piece.dev_dependencies}) - required
        for word in present.intersection(words_of(piece.name)):
            found = [path for path in words if word in words[path]]
            pytest.fail(f"{piece.name} is not chosen, but {word!r} is in {found}")


def test_a_word_of_a_piece_is_found_in_a_file() -> None:
    word = CATALOG.piece("stripe").owns[0]
    assert word in words_in(f"app/main.py\nimport {word}\n")
    assert "redis" in words_in("app/main.py\nimport redis\n")
    assert "redis" not in words_in("app/main.py\nallow_redisplay = True\n")


@pytest.mark.parametrize("name", SETS)
def test_modules_stand_behind_what_they_require(name: str) -> None:
    order = [piece.name for piece in chosen(name)]
    for piece in chosen(name):
        assert all(order.index(required) < order.index(piece.name) for required in piece.requires)


def test_what_a_piece_defines_is_found() -> None:
    assert tables(CATALOG.piece("users")) >= {"users"}
