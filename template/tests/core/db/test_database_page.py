"""The examples of docs/database.md that define columns."""

import re
from pathlib import Path
from typing import Any

from app.core.db.models import metadata
from tests.pages import FOLDER, run_examples

SECTIONS = re.compile(r"^## (?:Enum|Money) columns\n.*?(?=^## )", re.DOTALL | re.MULTILINE)


def test_the_columns_have_the_documented_types(tmp_path: Path) -> None:
    text = (FOLDER / "database.md").read_text(encoding="utf-8")
    sections = tmp_path / "sections.md"
    sections.write_text("".join(SECTIONS.findall(text)), encoding="utf-8")
    names: dict[str, Any] = {"__name__": "page"}

    assert run_examples(str(sections), names) == 2

    letter, payment = (names[model].__table__ for model in ("Letter", "Payment"))
    try:
        assert [str(letter.c.status.type), str(payment.c.total_minor.type)] == ["VARCHAR(40)", "BIGINT"]
        assert str(payment.c.currency.type) == "VARCHAR(3)"
    finally:
        metadata.remove(letter)
        metadata.remove(payment)
