"""Whether the application lives and is ready to serve."""

import asyncio
from typing import Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel
from starlette.responses import Response

from app.core.errors import ServiceUnavailableError
from app.core.http.dependencies import RuntimeDep
from app.core.http.server.state import is_draining
from app.core.manifest import HealthCheck, modules_of
from app.core.runtime import Runtime

PATIENCE = 2.0
"""Seconds that each check is given."""


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


class Ready(BaseModel):
    """The application serves, though maybe without some parts."""

    status: Literal["ok", "degraded"] = "ok"
    degraded: list[str] = []


_WELL = Response(Health().model_dump_json(), media_type="application/json")


async def read_health() -> Response:
    """Check that the process runs."""
    return _WELL


async def read_readiness(request: Request, runtime: RuntimeDep) -> Ready:
    """Check that the application can serve requests.

    Answers 200 and names the dependencies that fail but are optional. Answers 503 where a required one fails, and while
    the server is stopping.
    """
    if is_draining(request):
        raise ServiceUnavailableError("Not ready: the server is stopping.")
    readiness = runtime.resource(Readiness)
    failures = await readiness.failures()
    degraded = sorted(failures.keys() & readiness.dispensable)
    if len(failures) > len(degraded):
        missing = [name for name in failures if name not in degraded]
        raise ServiceUnavailableError(f"Not ready: {', '.join(missing)}.", details=failures)
    return Ready(status="degraded" if degraded else "ok", degraded=degraded)


def add_health_routes(app: FastAPI, prefix: str) -> tuple[str, str]:
    """Adds both, to the application itself: a router between would cost a fifth of the speed.

    Returns:
        Their paths.
    """
    paths = f"{prefix}/health", f"{prefix}/health/ready"
    app.add_api_route(paths[0], read_health, response_model=Health, tags=["health"])
    app.add_api_route(paths[1], read_readiness, tags=["health"])
    return paths


class Readiness:
    """Asks the database and all that the modules stand on."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._checks = tuple(check for module in modules_of(runtime) for check in module.health_checks)
        self.dispensable = {check.name for check in self._checks if check.degrades}
        """The parts that the application can serve without."""
        self._asking: asyncio.Task[dict[str, str]] | None = None

    async def failures(self) -> dict[str, str]:
        """What is wrong, by part; empty when all is well.

        Whoever asks while an answer is on its way gets the same one: the route is open to everybody and not limited,
        and must not be a way to keep the database busy.
        """
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        # Somebody who hangs up does not end it for the others.
        return await asyncio.shield(self._asking)

    async def _ask(self) -> dict[str, str]:
        outcomes = await asyncio.gather(*(self._failure(check) for check in self._checks))
        return {check.name: outcome for check, outcome in zip(self._checks, outcomes, strict=True) if outcome}

    async def _failure(self, check: HealthCheck) -> str | None:
        """The kind of error, and no more: its message may hold addresses and passwords."""
        try:
            async with asyncio.timeout(PATIENCE):
                await check.check(self._runtime)
        except TimeoutError:
            return "timeout"
        except Exception as error:  # noqa: BLE001 - whatever it is, the part is not ready
            while error.__cause__ is not None and isinstance(error.__cause__, Exception):
                # What the database's driver says is more telling than what wraps it.
                error = error.__cause__
            return type(error).__name__
        return None
