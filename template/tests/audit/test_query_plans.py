"""The lists of the audit log are read by indexes, however long the log is."""

from uuid import UUID

import httpx

from app.core.runtime import Runtime
from app.users.roles import Role
from tests.conftest import SignIn
from tests.query_plans import explain, fill, scans, selects_of

LOGS = "/api/v1/admin/dashboard/audit-logs"
FILTERS: tuple[dict[str, str], ...] = (
    {},
    {"cursor": str(UUID(int=50_000))},
    {"actor_id": str(UUID(int=7))},
    {"impersonated_id": str(UUID(int=7))},
    {"target_type": "thing", "target_id": "7"},
    {"action": "thing.changed"},
    {"request_id": "7"},
    {"since": "2026-01-01T00:00:00Z", "until": "2026-01-02T00:00:00Z"},
)


async def test_every_list_is_read_by_an_index(
    live_runtime: Runtime, live_client: httpx.AsyncClient, live_sign_in: SignIn
) -> None:
    headers = await live_sign_in(email="admin@example.com", role=Role.ADMIN)
    await fill(
        live_runtime.database,
        "audit_entries",
        {
            "id": "{key}",
            "created_at": ":now",
            "chain": "100 + number % 8",
            "sequence": "number",
            "actor_id": "{key}",
            "impersonated_id": "{key}",
            "action": "'thing.' || number",
            "target_type": "'thing'",
            "target_id": "number || ''",
            "request_id": "number || ''",
            "details": "'{{}}'",
            "changes": "'{{}}'",
            **dict.fromkeys(("origin_digest", "key_id", "hash", "seal"), "''"),
        },
    )

    with selects_of(live_runtime.database) as sent:
        for filters in FILTERS:
            answer = await live_client.get(LOGS, headers=headers, params=filters)
            assert answer.status_code == 200, answer.text
    own = [each for each in sent if "FROM audit_entries" in each[0]]
    plans = [await explain(live_runtime.database, *each) for each in own]

    assert len(plans) == len(FILTERS)
    assert not [plan for plan in plans if scans(plan, "audit_entries")]
