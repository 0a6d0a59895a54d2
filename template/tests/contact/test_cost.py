"""The messages of one state are read from an index."""

import httpx

from app.core.runtime import Runtime
from app.users.roles import Role
from tests.conftest import SignIn
from tests.query_plans import MANY, fill, is_postgresql, queries_of, rows_read

ADMIN = "/api/v1/admin/contact"
COLUMNS = "id, created_at, updated_at, form_id, name, email, email_key, message, extra_fields, source, state"
VALUES = (
    "now(), now(), gen_random_uuid(), 'Ada', n || '@example.com', n || '@example.com', 'Hello', '{}', '{}', "
    "CASE WHEN n % 1000 = 0 THEN 'answered' ELSE 'new' END"
)
LIMIT = 20
ANSWERED = MANY // 1000


async def test_the_list_of_a_state_reads_no_others(
    client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
) -> None:
    if not is_postgresql(runtime.database):
        return  # Only PostgreSQL says how many rows it has read.
    headers = await sign_in(email="admin@example.com", role=Role.ADMIN)
    await fill(runtime.database, "contact_messages", COLUMNS, VALUES)
    with queries_of(runtime.database) as sent:
        page = (await client.get(ADMIN, headers=headers, params={"state": "answered", "limit": LIMIT})).json()
    assert (len(page["items"]), page["total"]) == (LIMIT, ANSWERED)
    (own,) = (each for each in sent if "contact_messages" in each[0])
    # Those of the page, and those that are counted.
    assert await rows_read(runtime.database, own) <= LIMIT + ANSWERED
