"""The example of docs/admin.md."""

from typing import Any

from app.core.db.models import metadata, utc_now
from app.core.runtime import Runtime
from tests.pages import run_examples


async def test_the_figures_of_the_example_are_computed(live_runtime: Runtime) -> None:
    names: dict[str, Any] = {"__name__": "page"}
    assert run_examples("admin.md", names) == 1
    table = names["Ticket"].__table__
    try:
        async with live_runtime.database.transaction() as session:
            await session.run_sync(lambda sync: table.create(sync.connection()))
            session.add(names["Ticket"](state="open"))
        found = {
            figure.name: [
                tuple(row)
                for row in await live_runtime.database.fetch(figure.query(live_runtime, utc_now()), {})
                if row[1]
            ]
            for figure in names["module"].figures
        }
    finally:
        metadata.remove(table)

    assert found == {
        "tickets": [("total", 1, True)],
        "tickets_created": [(f"{utc_now():%Y-%m-%d}", 1, True)],
        "tickets_by_state": [("open", 1, True)],
    }
