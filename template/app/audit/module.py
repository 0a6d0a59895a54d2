"""The audit log: changes, stored in their own transaction and chained by hashes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.audit.admin_routes import router as admin_router
from app.audit.commands import audit
from app.audit.data_policy import FIGURES, PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.audit.log import AuditLog
from app.audit.models import AuditChain, AuditRecord
from app.audit.sealing import SealingKeys
from app.audit.settings import AuditSettings
from app.core.admin_view import AdminView
from app.core.manifest import Module
from app.core.runtime import Runtime


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    keys = SealingKeys.of(runtime.settings)
    runtime.provide(SealingKeys, keys)
    with runtime.override(audit=AuditLog(keys)):
        yield


module = Module(
    name="audit",
    models=(AuditRecord, AuditChain),
    admin_router=admin_router,
    settings=(AuditSettings,),
    lifespan=_lifespan,
    commands=(audit,),
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    admin_views=(
        AdminView(
            title="Audit log",
            path="/dashboard/audit-logs",
            columns=("action", "target_type", "target_id", "actor_id", "created_at"),
            links={"actor_id": "/users", "impersonated_id": "/users"},
        ),
    ),
)
