"""The admin routes for the inbox."""

from uuid import UUID, uuid4

import httpx
import pytest

from app.core.inbox.models import InboxEvent, InboxStatus
from app.core.runtime import Runtime
from tests.users.audits import MemoryAudit

INBOX = "/api/v1/admin/inbox"


@pytest.fixture
async def events(runtime: Runtime) -> dict[str, UUID]:
    """The ids of a processed event and of a failed one, by the provider's ids."""
    made = [
        InboxEvent(provider="acme", event_id="evt_1", payload={"a": "secret"}, handler="x", status=InboxStatus.DONE),
        InboxEvent(
            provider="other",
            event_id="evt_2%",
            payload={},
            handler="missing.handler",
            status=InboxStatus.FAILED,
            attempts=10,
            error="boom",
        ),
    ]
    ids = {event.event_id: event.id for event in made}
    async with runtime.database.transaction() as session:
        session.add_all(made)
    return ids


class TestList:
    async def test_the_newest_come_first_without_payloads(
        self, client: httpx.AsyncClient, admin: dict[str, str], events: dict[str, UUID]
    ) -> None:
        page = (await client.get(INBOX, headers=admin)).json()

        assert [item["id"] for item in page["items"]] == [str(events["evt_2%"]), str(events["evt_1"])]
        assert (page["total"], page["skip"], page["limit"]) == (2, 0, 20)
        assert "payload" not in page["items"][0]
        second = (await client.get(INBOX, headers=admin, params={"skip": 1, "limit": 1})).json()
        assert ([item["event_id"] for item in second["items"]], second["total"]) == (["evt_1"], 2)

    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({"status": "failed"}, ["evt_2%"]),
            ({"provider": "acme"}, ["evt_1"]),
            ({"provider": ""}, ["evt_2%", "evt_1"]),
            ({"search": "T_"}, ["evt_2%", "evt_1"]),
            ({"search": "2%"}, ["evt_2%"]),
            ({"search": "%1"}, []),
            ({"status": "failed", "provider": "acme"}, []),
        ],
        ids=["status", "provider", "empty", "any case", "wildcard", "no wildcard", "both"],
    )
    @pytest.mark.usefixtures("events")
    async def test_filters(
        self, client: httpx.AsyncClient, admin: dict[str, str], query: dict[str, str], found: list[str]
    ) -> None:
        page = (await client.get(INBOX, headers=admin, params=query)).json()

        assert [item["event_id"] for item in page["items"]] == found
        assert page["total"] == len(found)


class TestOne:
    async def test_is_shown(self, client: httpx.AsyncClient, admin: dict[str, str], events: dict[str, UUID]) -> None:
        event = (await client.get(f"{INBOX}/{events['evt_2%']}", headers=admin)).json()

        assert (event["error"], event["attempts"], event["status"]) == ("boom", 10, "failed")

    @pytest.mark.parametrize(("method", "rest"), [("GET", ""), ("POST", "/retry")])
    async def test_an_unknown_one_is_not_found(
        self, client: httpx.AsyncClient, admin: dict[str, str], method: str, rest: str
    ) -> None:
        assert (await client.request(method, f"{INBOX}/{uuid4()}{rest}", headers=admin)).status_code == 404


class TestRetry:
    async def test_makes_a_failed_event_pending_and_leaves_an_entry(
        self, client: httpx.AsyncClient, admin: dict[str, str], events: dict[str, UUID], audit: MemoryAudit
    ) -> None:
        answer = await client.post(f"{INBOX}/{events['evt_2%']}/retry", headers=admin)

        assert (answer.status_code, answer.json()["status"], answer.json()["attempts"]) == (200, "pending", 0)
        assert [(entry.action, entry.target_id) for entry in audit.entries] == [
            ("inbox_event.retried", str(events["evt_2%"]))
        ]

    async def test_only_a_failed_event_can_be_retried(
        self, client: httpx.AsyncClient, admin: dict[str, str], events: dict[str, UUID], audit: MemoryAudit
    ) -> None:
        answer = await client.post(f"{INBOX}/{events['evt_1']}/retry", headers=admin)

        assert answer.status_code == 409
        assert answer.json()["error"]["message"] == "Only a failed event can be retried; this one is done."
        assert audit.entries == []
