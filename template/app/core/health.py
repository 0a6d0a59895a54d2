"""Whether the application lives and is ready to serve."""

import asyncio

import structlog
from fastapi import APIRouter
from pydantic import BaseModel
from sqlalchemy import text
from starlette.responses import Response

from app.core.dependencies import RuntimeDep
from app.core.errors import ServiceUnavailableError
from app.core.module import HealthCheck
from app.core.runtime import Runtime

logger = structlog.stdlib.get_logger(__name__)

PATIENCE = 2.0
"""Seconds that each check is given."""

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


_OK = Response(b'{"status":"ok"}', media_type="application/json")


@router.get("/health", response_model=Health)
async def health() -> Response:
    """Answers as long as the process lives."""
    return _OK


@router.get("/health/ready")
async def ready(runtime: RuntimeDep) -> Health:
    """Answers 200 when the application and all that it stands on can serve; else 503, naming each part that fails."""
    checks = [DATABASE, *(check for module in runtime.modules for check in module.health_checks)]
    outcomes = await asyncio.gather(*(_failure(check, runtime) for check in checks))
    failures = {check.name: outcome for check, outcome in zip(checks, outcomes, strict=True) if outcome is not None}
    if failures:
        raise ServiceUnavailableError("Not ready: " + ", ".join(failures) + ".", details=dict(failures))
    return Health()


async def _ask_database(runtime: Runtime) -> None:
    async with runtime.database.reading() as session:
        await session.execute(text("SELECT 1"))


DATABASE = HealthCheck(name="database", check=_ask_database)


async def _failure(check: HealthCheck, runtime: Runtime) -> str | None:
    """What is wrong, in a word; the message may hold addresses and passwords, so only the log gets more."""
    try:
        async with asyncio.timeout(PATIENCE):
            await check.check(runtime)
    except TimeoutError:
        return "timeout"
    except Exception as error:  # noqa: BLE001 - whatever it is, the part is not ready
        return type(error).__name__
    return None
