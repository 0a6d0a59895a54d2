"""The admin routes for jobs."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from sqlalchemy import delete
from uuid_utils.compat import uuid7

from app.core.ports.audit import AuditEntry
from app.core.ports.user_files import NoUserFiles
from app.core.runtime import Runtime
from app.jobs.models import Job, JobState
from app.jobs.results import keep_result
from app.users.jobs import export_user_data
from app.users.roles import Role
from tests.conftest import ME, SignIn
from tests.users.audits import MemoryAudit

JOBS = "/api/v1/admin/jobs"


@pytest.fixture
async def admin(runtime: Runtime, sign_in: SignIn) -> dict[str, str]:
    """The headers of an administrator. The jobs that a new user causes are deleted."""
    headers = await sign_in(email="admin@example.com", role=Role.ADMIN)
    async with runtime.database.transaction() as session:
        await session.execute(delete(Job))
    return headers


@pytest.fixture(autouse=True)
def no_files(runtime: Runtime) -> None:
    """Whatever this project keeps files in, here is nothing."""
    runtime.user_files = NoUserFiles()


async def a_job(
    runtime: Runtime,
    state: JobState = JobState.WAITING,
    *,
    name: str = "shop.sell",
    args: Sequence[object] = (),
    **values: Any,  # noqa: ANN401 - columns
) -> str:
    """Insert a job in a state."""
    job = Job(id=uuid7(), name=name, args=list(args), state=state, max_attempts=3, **values)
    async with runtime.database.transaction() as session:
        session.add(job)
    return str(job.id)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestList:
    async def test_lists_the_newest_first_in_pages_with_the_total(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        ids = [await a_job(runtime) for _ in range(5)]

        answer = (await client.get(JOBS, headers=admin, params={"skip": 1, "limit": 2})).json()

        assert [item["id"] for item in answer["items"]] == [ids[3], ids[2]]
        assert (answer["total"], answer["skip"], answer["limit"]) == (5, 1, 2)

    async def test_past_the_end_is_empty_and_the_total_still_right(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        await a_job(runtime)

        answer = (await client.get(JOBS, headers=admin, params={"skip": 10})).json()

        assert (answer["items"], answer["total"]) == ([], 1)

    @pytest.mark.parametrize("state", list(JobState))
    async def test_shows_one_state_only(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], state: JobState
    ) -> None:
        ids = {each: await a_job(runtime, each) for each in JobState}

        answer = (await client.get(JOBS, headers=admin, params={"state": state})).json()

        assert [(item["id"], item["state"]) for item in answer["items"]] == [(ids[state], state)]
        assert answer["total"] == 1

    async def test_knows_its_states(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert (await client.get(JOBS, headers=admin, params={"state": "odd"})).status_code == 422

    async def test_omits_the_arguments_of_jobs(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        await a_job(runtime, args=["https://example.com/reset/secret"], key="mail:somebody@example.com")

        text = (await client.get(JOBS, headers=admin)).text

        assert "secret" not in text
        assert "somebody" not in text

    async def test_is_for_administrators(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        assert code(await client.get(JOBS, headers=await sign_in())) == (403, "ADMIN_REQUIRED")


class TestRead:
    async def test_shows_why_it_has_failed(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        id_ = await a_job(runtime, JobState.DEAD, attempts=3, error="LookupError: no cups", request_id="r-1")

        job = (await client.get(f"{JOBS}/{id_}", headers=admin)).json()

        assert (job["name"], job["state"], job["attempts"], job["max_attempts"]) == ("shop.sell", "dead", 3, 3)
        assert (job["error"], job["request_id"], job["result"]) == ("LookupError: no cups", "r-1", None)

    async def test_returns_ids_and_no_personal_data(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        user_id = str(uuid4())
        subscriber = "app.users.subscribers.welcome(UserCreated)"
        event = {"user_id": user_id, "email": "me@example.com", "times": [1, None, True, "no"]}
        id_ = await a_job(runtime, name="core.deliver_event", args=[subscriber, event])

        job = (await client.get(f"{JOBS}/{id_}", headers=admin)).json()

        assert job["arguments"] == {
            "subscriber_name": subscriber,
            "payload": {"user_id": user_id, "email": "[14 characters]", "times": [1, None, True, "[2 characters]"]},
        }

    async def test_returns_the_number_of_arguments_of_an_unknown_job(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        id_ = await a_job(runtime, name="gone.away", args=[1, "two"])

        job = (await client.get(f"{JOBS}/{id_}", headers=admin)).json()

        assert job["arguments"] == {"1": 1, "2": "[3 characters]"}

    async def test_returns_the_last_result(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        id_ = await a_job(runtime, JobState.DONE)
        await keep_result(runtime, UUID(id_), "first")
        await keep_result(runtime, UUID(id_), {"cups": [1, 2]})

        assert (await client.get(f"{JOBS}/{id_}", headers=admin)).json()["result"] == {"cups": [1, 2]}

    async def test_can_show_whatever_is_json(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        id_ = await a_job(runtime, JobState.DONE, args=[{"half \ud800": 1}])
        await keep_result(runtime, UUID(id_), ["half \ud800", "nul \0", "ü"])

        answer = (await client.get(f"{JOBS}/{id_}", headers=admin)).json()
        assert answer["result"] == ["half ?", "nul \0", "ü"]
        assert answer["arguments"] == {"1": {"half ?": 1}}

    async def test_delivers_an_export(self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        me = (await client.get(ME, headers=admin)).json()
        async with runtime.database.transaction() as session:
            id_ = await runtime.queue.enqueue(session, export_user_data, me["id"])
        await runtime.queue.drain()

        job = (await client.get(f"{JOBS}/{id_}", headers=admin)).json()

        assert job["state"] == "done"
        assert job["arguments"] == {"user_id": me["id"]}
        assert job["result"]["tables"]["users"][0]["email"] == "admin@example.com"

    async def test_of_an_unknown_job_is_not_found(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert code(await client.get(f"{JOBS}/{uuid4()}", headers=admin)) == (404, "NOT_FOUND")


class TestRetry:
    async def test_resets_the_attempts_of_a_dead_job(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], audit: MemoryAudit
    ) -> None:
        me = (await client.get(ME, headers=admin)).json()["id"]
        id_ = await a_job(runtime, JobState.DEAD, name="users.export_user_data", args=[me], attempts=3)

        job = (await client.post(f"{JOBS}/{id_}/retry", headers=admin)).json()

        assert (job["id"], job["state"], job["attempts"]) == (id_, "waiting", 0)
        (entry,) = audit.entries
        assert entry.client
        assert replace(entry, client=None) == AuditEntry(
            actor_id=UUID(me), action="job.retried", target_type="job", target_id=id_
        )
        await runtime.queue.drain()
        assert (await client.get(f"{JOBS}/{id_}", headers=admin)).json()["state"] == "done"

    @pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.DEAD])
    async def test_refuses_any_other(
        self,
        runtime: Runtime,
        client: httpx.AsyncClient,
        admin: dict[str, str],
        audit: MemoryAudit,
        state: JobState,
    ) -> None:
        answer = await client.post(f"{JOBS}/{await a_job(runtime, state)}/retry", headers=admin)

        assert code(answer) == (409, "JOB_STATE")
        assert answer.json()["error"]["message"] == f"The job is {state}, not dead."
        assert audit.entries == []

    async def test_of_an_unknown_job_is_not_found(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert code(await client.post(f"{JOBS}/{uuid4()}/retry", headers=admin)) == (404, "NOT_FOUND")


class TestCancel:
    async def test_a_waiting_job_never_runs(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], audit: MemoryAudit
    ) -> None:
        id_ = await a_job(runtime)

        answer = await client.delete(f"{JOBS}/{id_}", headers=admin)

        assert (answer.status_code, answer.content) == (204, b"")
        await runtime.queue.drain()
        assert (await client.get(f"{JOBS}/{id_}", headers=admin)).json()["state"] == "cancelled"
        assert [entry.action for entry in audit.entries] == ["job.cancelled"]

    @pytest.mark.parametrize("state", [state for state in JobState if state is not JobState.WAITING])
    async def test_refuses_any_other(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str], state: JobState
    ) -> None:
        id_ = await a_job(runtime, state)

        assert code(await client.delete(f"{JOBS}/{id_}", headers=admin)) == (409, "JOB_STATE")
        assert (await client.get(f"{JOBS}/{id_}", headers=admin)).json()["state"] == state

    async def test_succeeds_for_one_of_two_concurrent_requests(
        self, runtime: Runtime, client: httpx.AsyncClient, admin: dict[str, str]
    ) -> None:
        id_ = await a_job(runtime)

        answers = [(await client.delete(f"{JOBS}/{id_}", headers=admin)).status_code for _ in range(2)]

        assert answers == [204, 409]

    async def test_of_an_unknown_job_is_not_found(self, client: httpx.AsyncClient, admin: dict[str, str]) -> None:
        assert code(await client.delete(f"{JOBS}/{uuid4()}", headers=admin)) == (404, "NOT_FOUND")
