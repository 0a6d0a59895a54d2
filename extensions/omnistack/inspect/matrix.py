"""`omnistack matrix`: a few answer sets that together hold every valid combination of N answers."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer

from omnistack.inspect.minimize_rows import minimize_rows
from omnistack.shell.errors import OmniError
from omnistack.shell.options import TemplateOption
from omnistack.shell.progress import out, working
from omnistack.template.answers import Questionnaire
from omnistack.template.catalog import Answer, Catalog, plain
from omnistack.template.source import Template, open_template

HELP = """\
List answer sets to test: every preset, and a covering array of all valid answers.

Every valid combination of N answers is in at least one row. Rows depend only on the questions and the seed.

\b
    omnistack matrix                                     all pairs
    omnistack matrix --strength 3 --shard 2/4            a quarter of all triples
    echo "matrix=$(omnistack matrix --format github)" >> "$GITHUB_OUTPUT"
"""

ATTEMPTS = 8
"""Covering arrays to generate; the smallest is used."""

type Condition = Mapping[str, object]


class Format(StrEnum):
    """The output format of the rows."""

    JSON = "json"
    GITHUB = "github"
    TABLE = "table"


@dataclass(frozen=True)
class Row:
    """An answer set to test."""

    name: str
    given: Mapping[str, Answer]
    """The explicit answers; all others have their defaults."""
    answers: Mapping[str, Answer]
    """All answers that choose something."""

    @property
    def arguments(self) -> list[str]:
        """The answers as arguments of `omnistack new` and `copier copy`."""
        return [part for name, value in self.given.items() for part in ("-d", f"{name}={plain(value)}")]


def register(app: typer.Typer) -> None:
    """Add the command to the program."""
    app.command("matrix", help=HELP)(matrix)


def matrix(
    *,
    strength: Annotated[int, typer.Option(metavar="N", help="Cover every combination of N answers.")] = 2,
    shard: Annotated[str, typer.Option(metavar="I/N", help="Only part I of N equal parts.")] = "1/1",
    seed: Annotated[int, typer.Option(metavar="S", help="Seed: another number gives other rows.")] = 0,
    form: Annotated[Format, typer.Option("--format", help="Output for people, programs or GitHub.")] = Format.TABLE,
    template: TemplateOption = None,
) -> None:
    """List answer sets to test."""
    part = parse_shard(shard)
    with open_template(template) as found:
        with working("Computing the covering array"):
            rows = take_shard(make_rows(found, strength=strength, seed=seed), part)
        print_rows(rows, form, found.catalog)


def parse_shard(text: str) -> tuple[int, int]:
    """Read `I/N`, counted from 1."""
    first, slash, second = text.partition("/")
    if slash and first.isdecimal() and second.isdecimal() and 1 <= int(first) <= int(second):
        return int(first), int(second)
    raise OmniError(f"--shard {text}: is not a shard", "write it as I/N with I from 1 to N, for example 2/4")


def take_shard(rows: Sequence[Row], shard: tuple[int, int]) -> list[Row]:
    """Return every N-th row, so that shards differ by one row at most."""
    index, count = shard
    return list(rows[index - 1 :: count])


def factors(catalog: Catalog) -> dict[str, list[Answer]]:
    """Return the questions that choose something, with their values; a preset only answers them."""
    return {
        question.name: list(question.values)
        for question in catalog.questions.values()
        if question.values and question.name != "preset"
    }


def rules(catalog: Catalog) -> list[tuple[str, str, bool]]:
    """Return the catalog's constraints as (a, b, value): if a is true, b must have the value."""
    asked = {question.name for question in catalog.questions.values() if question.type == "bool"}
    pieces = [piece for piece in catalog.pieces if piece.name in asked]
    return [
        *((piece.name, other, True) for piece in pieces for other in piece.requires if other in asked),
        *((piece.name, other, False) for piece in pieces for other in piece.conflicts if other in asked),
    ]


def make_rows(template: Template, *, strength: int, seed: int) -> list[Row]:
    """Make all rows: the presets, then the covering array."""
    catalog = template.catalog
    questionnaire = Questionnaire(template)
    presets = [preset for preset in catalog.presets if preset != "custom"]

    def make_row(name: str, given: dict[str, Answer]) -> Row:
        # Copier decides what is valid.
        complete = questionnaire.evaluate(given).answers
        shown = {key: value for key, value in complete.items() if catalog.questions[key].values}
        return Row(name=name, given=given, answers=shown)

    rows = [make_row(f"preset {preset}", {"preset": preset}) for preset in presets]
    covering = cover(catalog, strength=strength, seed=seed, given=[row.answers for row in rows])
    rows += [make_row(_name(number, row), {"preset": "custom", **row}) for number, row in enumerate(covering, start=1)]
    return rows


def cover(
    catalog: Catalog, *, strength: int, seed: int, given: Sequence[Mapping[str, Answer]] = ()
) -> list[dict[str, Answer]]:
    """Compute the covering array: every valid combination of `strength` answers is in a row, every row is valid.

    Combinations in a given row, such as a preset's, need no other row.
    """
    from covertable import make, sorters  # type: ignore[import-untyped]  # it has no type information

    values = factors(catalog)
    if not 1 <= strength <= len(values):
        raise OmniError(
            f"--strength {strength}: there are {len(values)} answers to combine", f"choose from 1 to {len(values)}"
        )
    known = [{name: row[name] for name in values} for row in given]

    def attempt(number: int) -> list[dict[str, Answer]]:
        rows: list[dict[str, Answer]] = make(
            values,
            strength=strength,
            sorter=sorters.hash,  # its order depends on the names and the salt, not on the process
            salt=f"{seed}.{number}",
            constraints=[_implies(a, b, value=value) for a, b, value in rules(catalog)],
        )
        return minimize_rows([{name: row[name] for name in values} for row in rows], rules(catalog), strength, known)

    # The generator's results differ in size, and each row costs minutes to test.
    return min(map(attempt, range(ATTEMPTS)), key=lambda rows: (len(rows), sum(map(_chosen, rows))))


def _chosen(row: Mapping[str, Answer]) -> int:
    return sum(value is True for value in row.values())


def print_rows(rows: Sequence[Row], form: Format, catalog: Catalog) -> None:
    """Print rows in a format."""
    if form is Format.JSON:
        document = [{"name": row.name, "answers": dict(row.answers), "arguments": row.arguments} for row in rows]
        typer.echo(json.dumps(document, indent=2))
    elif form is Format.GITHUB:
        include = [
            {
                "name": row.name,
                "arguments": " ".join(row.arguments),
                "python_version": row.answers.get("python_version", ""),
            }
            for row in rows
        ]
        typer.echo(json.dumps({"include": include}))
    else:
        _print_table(rows, catalog)


def _print_table(rows: Sequence[Row], catalog: Catalog) -> None:
    from rich import box
    from rich.table import Table

    values = factors(catalog)
    switches = [name for name, options in values.items() if all(isinstance(value, bool) for value in options)]
    ports = [name for name in values if name not in switches]
    table = Table(box=box.SIMPLE)
    # A column for each boolean would be too wide for most terminals: the true ones are listed instead.
    for title in ("", *(name.removesuffix("_version") for name in ports)):
        table.add_column(title, no_wrap=True)
    table.add_column("with", overflow="fold")
    for row in rows:
        chosen = " ".join(name for name in switches if row.answers[name])
        short = row.name.removeprefix("preset ").split()[0]
        table.add_row(short, *(str(row.answers[name]) for name in ports), chosen or "·")
    out().print(table)
    out().print(f"{len(rows)} answer sets")


def _name(number: int, row: Mapping[str, Answer]) -> str:
    texts = [value for value in row.values() if isinstance(value, str) and value != "none"]
    switched_on = sum(value is True for value in row.values())
    return " ".join([f"{number:03d}", *texts, f"+{switched_on}"])


def _implies(a: str, b: str, *, value: bool) -> Condition:
    conditions: Iterable[Condition] = [
        {"operator": "eq", "left": a, "value": False},
        {"operator": "eq", "left": b, "value": value},
    ]
    return {"operator": "or", "conditions": list(conditions)}
