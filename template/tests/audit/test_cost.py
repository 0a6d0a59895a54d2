"""Every page of a long audit log is read from an index."""

import httpx

from app.core.runtime import Runtime
from app.users.roles import Role
from tests.conftest import SignIn
from tests.query_plans import MANY, fill, is_postgresql, queries_of, rows_read

LOGS = "/api/v1/admin/dashboard/audit-logs"
ID = "00000000-0000-0000-0000-{:012x}"
COLUMNS = (
    "id, created_at, chain, sequence, actor_id, impersonated_id, action, target_type, target_id, details, changes, "
    "request_id, origin_digest, key_id, hash, seal"
)
NUMBERED = "CAST(lpad(to_hex({}), 32, '0') AS uuid)"
VALUES = (
    f"now(), 0, n, {NUMBERED.format('n % 500')}, {NUMBERED.format('n % 500')}, 'thing.' || n % 500, 'thing', "
    "CAST(n % 500 AS text), '{}', '{}', 'request-' || n, '', '', '', ''"
)


async def test_each_filter_reads_few_rows(client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn) -> None:
    if not is_postgresql(runtime.database):
        return  # Only PostgreSQL says how many rows it has read.
    headers = await sign_in(email="admin@example.com", role=Role.ADMIN)
    await fill(runtime.database, "audit_entries", COLUMNS, VALUES)
    filters: list[dict[str, str]] = [
        {},
        {"actor_id": ID.format(7)},
        {"impersonated_id": ID.format(7)},
        {"action": "thing.7"},
        {"target_type": "thing", "target_id": "7"},
        {"request_id": "request-7"},
    ]
    for query in filters:
        for cursor in ({}, {"cursor": ID.format(MANY // 2)}):
            with queries_of(runtime.database) as sent:
                page = (await client.get(LOGS, headers=headers, params={"limit": "20"} | query | cursor)).json()
            assert page["items"] or query.keys() == {"request_id"}, query
            (own,) = (each for each in sent if "audit_entries" in each[0])
            assert await rows_read(runtime.database, own) <= MANY // 500 + 1, query
