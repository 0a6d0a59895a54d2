"""The examples of docs/types.md."""

from typing import Any

import pytest
from pydantic import TypeAdapter

from app.core.db.models import metadata
from app.core.db.money_columns import Currency, MinorUnits
from tests.kit.types.samples import refuses
from tests.pages import EXAMPLE, FOLDER, run_examples, undocumented


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """The names of the page."""
    names: dict[str, Any] = {"__name__": "page"}
    assert run_examples("types.md", names) == 7
    for model in ("Subscriber", "Order"):
        # The other tests know nothing of the tables.
        metadata.remove(names[model].__table__)
    return names


def test_the_page_on_modules_uses_the_money_types() -> None:
    names: dict[str, Any] = {"__name__": "page"}
    sections = EXAMPLE.findall((FOLDER / "own-module.md").read_text(encoding="utf-8"))[:2]
    for section in sections:
        exec(section, names)  # noqa: S102 - this project's documentation
    table = names["Invoice"].__table__
    metadata.remove(table)
    assert [type(table.c[name].type) for name in ("total_minor", "currency")] == [MinorUnits, Currency]
    invoice = {"name": "March", "total_minor": 990, "currency": "EUR"}
    assert names["InvoiceCreate"].model_validate(invoice).currency == "EUR"
    assert refuses(TypeAdapter(names["InvoiceCreate"]), invoice | {"currency": "AAA"})
    assert refuses(TypeAdapter(names["InvoiceCreate"]), invoice | {"total_minor": -1})


def test_the_page_names_every_type() -> None:
    assert undocumented("types.md", "app/kit/types") == []


def test_formats_are_in_the_schema(examples: dict[str, Any]) -> None:
    properties = examples["ShopCreate"].model_json_schema()["properties"]
    assert [properties[name]["format"] for name in ("slug", "contact", "about")] == ["slug", "email", "html"]
    assert properties["webhook"]["anyOf"][0]["format"] == "uri"


async def test_a_host_with_a_private_address_is_refused(examples: dict[str, Any]) -> None:
    assert await examples["public_addresses"]("8.8.8.8", 443) == ["8.8.8.8"]
    for host in ("localhost", "169.254.169.254"):
        with pytest.raises(PermissionError, match="private"):
            await examples["public_addresses"](host, 80)
