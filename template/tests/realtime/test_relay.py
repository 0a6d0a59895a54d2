"""The outbox is read by an index, however many events wait in it."""

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.realtime.relay import UNDELIVERED
from tests.query_plans import explain, fill, scans, selects_of


async def test_a_long_outbox_is_read_by_an_index(live_runtime: Runtime) -> None:
    columns = {"id": "{key}", "created_at": ":now", "stream": "'everyone'", "data": "'{{}}'"}
    await fill(live_runtime.database, "realtime_outbox", columns)

    with selects_of(live_runtime.database) as sent:
        await live_runtime.database.fetch(UNDELIVERED, {"until": utc_now()})
    (own,) = [each for each in sent if "FROM realtime_outbox" in each[0]]

    assert not scans(await explain(live_runtime.database, *own), "realtime_outbox")
