"""Events that a killed process has left behind are found without reading the others."""

from app.core.runtime import Runtime
from app.realtime.relay import BATCH, LEFT_BEHIND, Relay
from tests.query_plans import fill, is_postgresql, queries_of, rows_read


async def test_the_search_reads_few_rows(runtime: Runtime) -> None:
    if not is_postgresql(runtime.database):
        return  # Only PostgreSQL says how many rows it has read.
    columns, values = "id, created_at, stream, data", "now() + interval '1 hour', 'user', '{}'"
    await fill(runtime.database, "realtime_outbox", columns, values)
    with queries_of(runtime.database) as sent:
        await Relay(runtime)._sweep(LEFT_BEHIND)  # noqa: SLF001 - a part of its work
    (own,) = (each for each in sent if "realtime_outbox" in each[0])
    assert await rows_read(runtime.database, own) <= BATCH
