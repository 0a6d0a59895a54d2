"""The routes that Prometheus scrapes."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.responses import Response

from app.core.http.dependencies import RuntimeDep
from app.metrics.authentication import require_token
from app.metrics.exposition import CONTENT_TYPE, Exposition

router = APIRouter(prefix="/metrics")

_bearer = HTTPBearer(scheme_name="Metrics token", description="The value of METRICS_TOKEN.", auto_error=False)


class MetricsHealth(BaseModel):
    """Whether the metrics are complete."""

    status: Literal["ok", "degraded"] = "ok"


class MetricsResponse(Response):
    """Metrics in Prometheus' text format."""

    media_type = CONTENT_TYPE


@router.get("", response_class=Response, responses={200: {"content": {CONTENT_TYPE: {}}}})
async def read_metrics(
    runtime: RuntimeDep, token: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Response:
    """Get the metrics of all processes of this machine in Prometheus' text format."""
    require_token(runtime, token.credentials if token else None)
    return MetricsResponse(await runtime.resource(Exposition).text())


@router.get("/health")
async def read_metrics_health(runtime: RuntimeDep) -> MetricsHealth:
    """Check whether the metrics are complete: the shared directory can be used, and the database could be read."""
    is_complete = await runtime.resource(Exposition).is_complete()
    return MetricsHealth(status="ok" if is_complete else "degraded")
