"""The impersonations in effect are read from an index, however many have ended."""

import httpx

from app.core.runtime import Runtime
from tests.impersonation.conftest import ACTIVE, People, Person
from tests.query_plans import fill, is_postgresql, queries_of, rows_read

COLUMNS = "id, created_at, updated_at, admin_id, user_id, reason, expires_at, ended_at, end_reason"


async def test_ended_impersonations_are_not_read(
    client: httpx.AsyncClient, runtime: Runtime, people: People, admin: Person, user: Person
) -> None:
    if not is_postgresql(runtime.database):
        return  # Only PostgreSQL says how many rows it has read.
    values = f"now(), now(), '{admin.id}', '{user.id}', 'Ticket', now(), now(), 'stopped'"
    await fill(runtime.database, "impersonations", COLUMNS, values)
    headers = await people.start(admin, user)

    with queries_of(runtime.database) as sent:
        as_user = await client.get("/api/v1/app/users/me", headers=headers)
        listed = await client.get(ACTIVE, headers=admin.headers)

    assert as_user.status_code == 200, as_user.text
    assert len(listed.json()["items"]) == 1
    own = [each for each in sent if "FROM impersonations" in each[0]]
    assert len(own) == 2
    # The impersonation and its two users, once for the page and once for the total.
    assert [await rows_read(runtime.database, each) <= 6 for each in own] == [True, True]
