"""The core as a module: the inbox, data retention, the daily report, and the health checks of the databases."""

from sqlalchemy import text

from app.core.config.settings import Settings
from app.core.data_policy.commands import cleanup, report, stats
from app.core.data_policy.daily_report import generate_daily_report
from app.core.data_policy.retention import cleanup_old_data
from app.core.db.replica import require_replica
from app.core.db.schema_version import require_migrated
from app.core.inbox.commands import inbox
from app.core.inbox.data_policy import FIGURES, GAUGES, REPORT_METRICS, RETENTION
from app.core.inbox.models import InboxEvent
from app.core.inbox.service import process_inbox_event
from app.core.inbox.sweeper import sweeping
from app.core.jobs.event_bus import deliver_event
from app.core.manifest import HealthCheck, Module
from app.core.runtime import Runtime
from app.core.shell.commands import shell


async def _check_database(runtime: Runtime) -> None:
    async with runtime.database.reading() as session:
        await session.execute(text("SELECT 1"))
    await require_migrated(runtime.database)


async def _check_replica(runtime: Runtime) -> None:
    await require_replica(runtime.database)


module = Module(
    name="core",
    models=(InboxEvent,),
    settings=(Settings,),
    jobs=(deliver_event, process_inbox_event, cleanup_old_data, generate_daily_report),
    health_checks=(
        HealthCheck(name="database", check=_check_database),
        HealthCheck(name="replica", check=_check_replica, degrades=True),
    ),
    background=sweeping,
    commands=(inbox, cleanup, report, stats, shell),
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    gauges=GAUGES,
)
