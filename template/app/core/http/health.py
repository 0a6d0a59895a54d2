"""The health and the readiness of the application."""

import asyncio
from typing import Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.core.db.schema_version import PendingRevisionsError
from app.core.errors import ServiceUnavailableError
from app.core.http.dependencies import RuntimeDep
from app.core.http.server.state import is_draining
from app.core.manifest import HealthCheck, modules_of
from app.core.runtime import Runtime

CHECK_TIMEOUT = 2.0
"""Seconds."""
MIGRATIONS = "migrations"
"""The name under which pending revisions are reported."""


class Health(BaseModel):
    """The process runs.

    Attributes:
        release: the release that answers, from the setting RELEASE; left out if it is not set.
    """

    status: str = "ok"
    release: str | None = None


class Ready(BaseModel):
    """The application can serve requests, possibly without optional dependencies."""

    status: Literal["ok", "degraded"] = "ok"
    degraded: list[str] = []


async def read_readiness(request: Request, runtime: RuntimeDep) -> Ready:
    """Check that the application can serve requests.

    Answers 200 and names the dependencies that fail but are optional. Answers 503 where a required one fails, and while
    the server is stopping.
    """
    if is_draining(request):
        raise ServiceUnavailableError("Not ready: the server is stopping.")
    readiness = runtime.resource(Readiness)
    failures = await readiness.failures()
    degraded = sorted(failures.keys() & readiness.optional)
    if len(failures) > len(degraded):
        missing = [name for name in failures if name not in degraded]
        raise ServiceUnavailableError(f"Not ready: {', '.join(missing)}.", details=failures)
    return Ready(status="degraded" if degraded else "ok", degraded=degraded)


def add_health_routes(app: FastAPI, prefix: str, *, release: str = "") -> tuple[str, str]:
    """Add both routes, directly to the application: a router in between would cost a fifth of the speed.

    Args:
        app: the application.
        prefix: the beginning of both paths.
        release: the name of the running release, which the health route returns.

    Returns:
        Their paths.
    """
    healthy = Response(
        Health(release=release or None).model_dump_json(exclude_none=True), media_type="application/json"
    )

    async def read_health() -> Response:
        """Check that the process runs."""
        return healthy

    paths = f"{prefix}/health", f"{prefix}/health/ready"
    app.add_api_route(paths[0], read_health, response_model=Health, tags=["health"])
    app.add_api_route(paths[1], read_readiness, tags=["health"])
    return paths


class Readiness:
    """The health checks of all modules, including the database."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._checks = tuple(check for module in modules_of(runtime) for check in module.health_checks)
        self.optional = {check.name for check in self._checks if check.degrades}
        if runtime.settings.READY_WITH_PENDING_MIGRATIONS:
            self.optional.add(MIGRATIONS)
        """The checks that may fail while the application still serves."""
        self._run: asyncio.Task[dict[str, str]] | None = None

    async def failures(self) -> dict[str, str]:
        """Return the kind of error of each check that fails.

        Calls at the same time share one run of the checks: the route is public and has no rate limit, so that it must
        not allow clients to keep the database busy.
        """
        if self._run is None or self._run.done():
            self._run = asyncio.create_task(self._run_checks())
        # A client that disconnects does not cancel the checks for the others.
        return await asyncio.shield(self._run)

    async def _run_checks(self) -> dict[str, str]:
        outcomes = await asyncio.gather(*(self._failure(check) for check in self._checks))
        return dict(outcome for outcome in outcomes if outcome is not None)

    async def _failure(self, check: HealthCheck) -> tuple[str, str] | None:
        """Return what fails, and the class of the error only: its message may contain addresses and passwords."""
        try:
            async with asyncio.timeout(CHECK_TIMEOUT):
                await check.check(self._runtime)
        except TimeoutError:
            return check.name, "timeout"
        except PendingRevisionsError as error:
            # The database works, but its tables are older than the code.
            return MIGRATIONS, error.message
        except Exception as error:  # noqa: BLE001 - any error means not ready
            while error.__cause__ is not None and isinstance(error.__cause__, Exception):
                # The database driver's error says more than SQLAlchemy's, which wraps it.
                error = error.__cause__
            return check.name, type(error).__name__
        return None
