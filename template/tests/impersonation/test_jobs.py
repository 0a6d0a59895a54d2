"""A job that was enqueued as the user runs to its end, and the audit log shows in which request it began."""

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.manifest import Module
from app.core.ports.operations import JobAttempt
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from app.users.dependencies import CurrentUser
from app.users.jobs import export_user_data
from tests.conftest import ME
from tests.core.telemetry import Recorder
from tests.impersonation.conftest import STOP, Person, code

router = APIRouter(prefix="/my-exports")


@router.post("")
async def create_export(user: CurrentUser, runtime: RuntimeDep, session: SessionDep) -> None:
    """Export the current user's data."""
    await runtime.queue.enqueue(session, export_user_data, str(user.id))


@pytest.fixture
def app(runtime: Runtime) -> FastAPI:
    """The application with a route that enqueues a job."""
    return create_app([*MODULES, Module(name="exports", router=router)], runtime=runtime)


async def test_a_job_outlives_the_impersonation_and_is_traced_to_it(
    client: httpx.AsyncClient,
    runtime: Runtime,
    acting: dict[str, str],
    admin: Person,
    user: Person,
) -> None:
    answer = await client.post("/api/v1/app/my-exports", headers=acting)
    assert answer.status_code == 200, answer.text
    await client.post(STOP, headers=admin.headers)
    assert code(await client.get(ME, headers=acting)) == (401, "IMPERSONATION_ENDED")

    recorder = Recorder()
    with runtime.listen(recorder):
        await runtime.queue.drain()

    request_id = answer.headers["X-Request-ID"]
    (job,) = [each for each in recorder.operations if isinstance(each, JobAttempt) and each.request_id == request_id]
    assert job.name.endswith("export_user_data")
    assert job.error is None
    query = {"impersonated_id": str(user.id), "request_id": request_id}
    logged = (await client.get("/api/v1/admin/dashboard/audit-logs", headers=admin.headers, params=query)).json()
    assert [(each["action"], each["actor_id"]) for each in logged["items"]] == [("impersonation.used", str(admin.id))]
