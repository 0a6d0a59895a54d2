"""Authentication reads a few rows, however many users there are."""

import httpx

from app.core.runtime import Runtime
from tests.conftest import ME, SignIn
from tests.query_plans import KEY, fill, is_postgresql, queries_of, rows_read


async def test_each_query_of_a_request_reads_few_rows(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
) -> None:
    if not is_postgresql(runtime.database):
        return  # Only PostgreSQL says how many rows it has read.
    headers = await sign_in()
    columns = "id, role, is_active, created_at, updated_at"
    await fill(runtime.database, "users", columns, "'user', true, now(), now()")
    columns = "id, provider, subject, user_id, created_at, updated_at"
    await fill(runtime.database, "user_identities", columns, f"'other', n, {KEY}, now(), now()")

    with queries_of(runtime.database) as sent:
        assert (await client.get(ME, headers=headers)).status_code == 200

    assert sent
    for query in sent:
        assert await rows_read(runtime.database, query) <= 2, query
