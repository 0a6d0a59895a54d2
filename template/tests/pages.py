"""The examples of the documentation, to execute them."""

import re
from pathlib import Path
from textwrap import dedent
from typing import Any, Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "docs"
EXAMPLE: Final = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)
SHELL: Final = re.compile(r"^(?P<indent> *)```(?:bash|sh)\n(?P<code>.*?)^(?P=indent)```", re.DOTALL | re.MULTILINE)


def run_examples(page: str, names: dict[str, Any]) -> int:
    """Execute the Python examples of a page, one after the other.

    Args:
        page: the file's name.
        names: the names that the examples use and don't define. Afterwards, those that they define as well.

    Returns:
        The number of examples.
    """
    examples = EXAMPLE.findall((FOLDER / page).read_text(encoding="utf-8"))
    for number, example in enumerate(examples, 1):
        exec(compile(example, f"{page}, example {number}", "exec"), names)  # noqa: S102 - this project's documentation
    return len(examples)


def shell_commands(page: str) -> list[str]:
    """Return the commands in the shell examples of a page, one after the other, without comments.

    Args:
        page: the file's name.
    """
    text = (FOLDER / page).read_text(encoding="utf-8")
    code = "\n".join(dedent(match["code"]) for match in SHELL.finditer(text)).replace("\\\n", " ")
    return [line.strip() for line in code.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def undocumented(page: str, package: str) -> list[str]:
    """Return the modules of a package that a page does not mention.

    Args:
        page: the file's name.
        package: the folder, relative to the project.
    """
    text = (FOLDER / page).read_text(encoding="utf-8")
    modules = sorted(path.stem for path in (FOLDER.parent / package).glob("*.py"))
    return [name for name in modules if not re.search(rf"\b{name}\b", text) and not name.startswith("__")]
