"""The examples of docs/browser-admin.md work as they stand there."""

from typing import Any

from app.admin.ui.views import DescribedViews
from app.core.admin_view import AdminView
from app.core.manifest import Module
from app.modules import MODULES
from tests.pages import run_examples


def test_the_examples_of_the_page() -> None:
    names: dict[str, Any] = {"__name__": __name__}
    assert run_examples("browser-admin.md", names) == 3

    (one_line,) = (view for view in DescribedViews.of([names["module"]]).views)
    assert one_line.problem is None
    assert [column.name for column in one_line.columns] == ["number", "status", "total_minor", "owner_id"]
    assert (one_line.search, one_line.sort) == ("Part of a number.", ["number", "-number"])
    assert [field.name for field in one_line.filters] == ["status"]
    (void,) = one_line.actions
    assert (void.label, void.path) == ("Void invoice", "/void")
    assert "This cannot be undone." in void.confirm

    declared: AdminView = names["view"]
    module = Module(name="invoices", admin_router=names["router"], admin_views=(declared,))
    changed = next(view for view in DescribedViews.of([*MODULES, module]).views if view.path == "/invoices")
    assert changed.problem is None
    assert {column.name: column.link for column in changed.columns}["owner_id"] == "/users"
    assert (changed.actions[0].label, changed.actions[0].only_if) == ("Void", {"status": ["open"]})
