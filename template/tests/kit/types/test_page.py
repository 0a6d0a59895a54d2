"""The examples of docs/types.md."""

from typing import Any

import pytest

from app.core.db.models import metadata
from tests.pages import run_examples, undocumented


@pytest.fixture(scope="module")
def examples() -> dict[str, Any]:
    """The names of the page."""
    names: dict[str, Any] = {"__name__": "page"}
    assert run_examples("types.md", names) == 7
    for model in ("Subscriber", "Order"):
        # The other tests know nothing of the tables.
        metadata.remove(names[model].__table__)
    return names


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
