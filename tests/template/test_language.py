"""Text that users read avoids phrases that have to be read twice (see CONTRIBUTING.md, "Language")."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
WORDS = (
    "whoever",
    "nobody",
    "somebody",
    "wish",
    "wishes",
    "may be had",
    "to be had",
    "in the midst",
    "the end of it",
    "what is there",
    "(is|are|was|be) told",
    "tells of",
    "is asked for",
    "whose time has come",
    "worked off",
    "as good as none",
    "carries mail",
    "will have none",
    "which is not there",
    "and yet",
)
PHRASES = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)
PROSE = ("README.md", "CONTRIBUTING.md", "copier.yml", "docs/guide/*.md", "extensions/catalog/*.yml")
RENDERED_PROSE = ("README.md.jinja", "docs/*.md", "docs/*.jinja", "Makefile.jinja", ".env.example.jinja")
CODE = ("template/app/**/*.py", "extensions/omnistack/**/*.py")
TESTS = ("template/tests/**/*.py",)
SPOKEN = re.compile(r"routes|schemas|commands|/cli/|/shell/|errors")
"""Files whose docstrings users read: in the API's documentation and in `--help`."""
OPENINGS = re.compile(
    r"(What|Who|Whose|Whom|How|Where|When|Returns|Gives|Tells|Says|Makes|Raises|Validates|Accepts|Does|Fails|Has|Keeps|"
    r"Lets|Publishes|Puts|Sends|Serves|Waits|Writes)\b"
)
"""First words of a docstring that is neither an imperative nor a noun phrase."""


TEST_NAMES = re.compile(r"_(what|nobodys?|somebodys?|whoever|anybody|told|wish|news|as_good_as|is_none_of_our)(?=_|$)")
"""Words of riddles. A test's name states the subject and the outcome."""


def texts() -> Iterator[tuple[Path, str]]:
    """Yield the text of documentation and of catalog files, and the strings in code that users read."""
    for pattern in (*PROSE, *(f"template/{each}" for each in RENDERED_PROSE)):
        yield from ((path, path.read_text(encoding="utf-8")) for path in ROOT.glob(pattern))
    for pattern in CODE:
        for path in ROOT.glob(pattern):
            yield from ((path, text) for text in _spoken(path))


def _spoken(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
            for argument in node.exc.args:
                yield from _strings(argument)
        elif isinstance(node, ast.Call):
            for keyword in node.keywords:
                if keyword.arg in {"help", "summary", "description", "title"}:
                    yield from _strings(keyword.value)
            if isinstance(node.func, ast.Name) and node.func.id == "report":  # a finding of the proof
                for argument in node.args:
                    yield from _strings(argument)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and SPOKEN.search(path.as_posix()):
            yield ast.get_docstring(node) or ""


def _strings(node: ast.expr) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def test_text_that_users_read_is_plain() -> None:
    found = {
        f"{path.relative_to(ROOT)}: …{text[max(0, match.start() - 40) : match.end() + 40]!r}…"
        for path, text in texts()
        for match in PHRASES.finditer(text)
    }
    assert sorted(found) == []


def docstrings(path: Path) -> Iterator[str]:
    """Return the docstrings of a file, those of constants and attributes included."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Expr(value=ast.Constant(value=str(text))) if text.strip():
                yield text.strip()
            case _:
                pass


def test_docstrings_begin_with_an_imperative_or_a_noun() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {docstring.splitlines()[0]}"
        for pattern in (*CODE, *TESTS)
        for path in ROOT.glob(pattern)
        for docstring in docstrings(path)
        if OPENINGS.match(docstring)
    ]
    assert sorted(found) == []


def test_names_of_tests_are_plain() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for pattern in TESTS
        for path in ROOT.glob(pattern)
        for name in re.findall(r"def (test_\w+)", path.read_text(encoding="utf-8"))
        if TEST_NAMES.search(name)
    ]
    assert sorted(found) == []


@pytest.mark.parametrize("text", ["Whoever signs in", "The user is told"])
def test_the_phrases_are_found(text: str) -> None:
    assert PHRASES.search(text)
