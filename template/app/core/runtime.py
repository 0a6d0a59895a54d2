"""The runtime: the state of a running process. Routes, jobs and commands receive it; nothing else is global."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TypedDict, Unpack, cast
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import ClientDisconnect, HTTPConnection
from starlette.websockets import WebSocketDisconnect

from app.core.config.settings import Settings
from app.core.db.bulk_changes import BulkChange, bulk_entry
from app.core.db.database import Database
from app.core.db.log_audit import LogAudit
from app.core.db.telemetry import observe_engine
from app.core.ports.audit import Audit
from app.core.ports.cache import Cache, MemoryCache
from app.core.ports.events import Events
from app.core.ports.flags import Flags, NoFlags
from app.core.ports.leases import Leases, MemoryLeases
from app.core.ports.mail import MailSender, NoMail
from app.core.ports.memory_streams import MemoryStreams
from app.core.ports.operations import ExternalCall, TransactionWait
from app.core.ports.plans import FreePlan, Plans, Reservation
from app.core.ports.queue import Queue
from app.core.ports.realtime import NoRealtime, Realtime
from app.core.ports.streams import Streams
from app.core.ports.telemetry import Telemetry, TelemetryListener
from app.core.ports.usage import UnbilledUsage, UsageRecorder
from app.core.ports.user_files import NoUserFiles, UserFiles
from app.core.rate_limiting.memory import MemoryLimiter
from app.core.rate_limiting.port import Limiter
from app.kit.external_calls import CallFinished, CallReport, observe_calls


class Ports(TypedDict, total=False):
    """The ports that a module's lifespan may override."""

    plans: Plans
    cache: Cache
    audit: Audit
    usage: UsageRecorder
    flags: Flags
    user_files: UserFiles
    limiter: Limiter
    leases: Leases
    mail: MailSender
    streams: Streams
    realtime: Realtime
    queue: Queue


@dataclass(kw_only=True)
class Runtime:
    """The settings, the database and the ports, each with its default provider; plus the resources of the modules.

    `app.core.lifecycle.create_runtime` adds the queue and the events, whose defaults need the runtime themselves.
    """

    settings: Settings
    database: Database
    plans: Plans = field(default_factory=FreePlan)
    cache: Cache = field(default_factory=MemoryCache)
    audit: Audit = field(default_factory=LogAudit)
    usage: UsageRecorder = field(default_factory=UnbilledUsage)
    flags: Flags = field(default_factory=NoFlags)
    user_files: UserFiles = field(default_factory=NoUserFiles)
    limiter: Limiter = field(default_factory=MemoryLimiter)
    leases: Leases = field(default_factory=MemoryLeases)
    mail: MailSender = field(default_factory=NoMail)
    streams: Streams = field(default_factory=MemoryStreams)
    realtime: Realtime = field(default_factory=NoRealtime)
    telemetry: Telemetry = field(init=False)
    queue: Queue = field(init=False)
    events: Events = field(init=False)
    _resources: dict[type, object] = field(default_factory=dict)
    _overridden: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Connect telemetry and the audit trail with the objects that report operations outside of the runtime."""
        self.telemetry = Telemetry(self._observe_database, _observe_calls)
        self.database.on_bulk_change = self._audit_bulk_change
        self.database.observe_wait = lambda: self.telemetry.observe(TransactionWait())

    def provide[T](self, key: type[T], value: T) -> None:
        """Make a module's own object available to its routes and jobs."""
        self._resources[key] = value

    def resource[T](self, key: type[T]) -> T:
        """Return the object that was provided under `key`: a settings class, or a type that a lifespan provides.

        Raises:
            LookupError: no object was provided under this key.
        """
        if key not in self._resources:
            raise LookupError(f"Nothing provides {key.__qualname__}; is its module in app/modules.py?")
        return cast("T", self._resources[key])

    def find_resource[T](self, key: type[T]) -> T | None:
        """Return the object that was provided under `key`, or `None`: its module may not be part of the application."""
        return cast("T | None", self._resources.get(key))

    def has_default(self, port: str) -> bool:
        """Return whether no module provides the port, so that its default provider is used."""
        return port not in self._overridden

    @contextmanager
    def override(self, **providers: Unpack[Ports]) -> Iterator[None]:
        """Replace the default providers of ports until the end of the block, which restores them.

        Use: `with runtime.override(queue=outbox): yield` in a module's lifespan.

        Raises:
            ValueError: a port is overridden already. Two modules that provide the same port are a mistake.
        """
        taken = sorted(self._overridden & providers.keys())
        if taken:
            raise ValueError(
                f"Two modules provide the port {', '.join(taken)}. Remove one of them from app/modules.py."
            )
        defaults = {name: getattr(self, name) for name in providers}
        self._replace(providers)
        self._overridden |= providers.keys()
        try:
            yield
        finally:
            self._overridden -= providers.keys()
            self._replace(defaults)

    def listen(self, listener: TelemetryListener) -> AbstractContextManager[None]:
        """Report the process's operations to a telemetry listener until the end of the block. There may be several.

        Use: `with runtime.listen(metrics): yield` in a module's lifespan.
        """
        return self.telemetry.listening(listener)

    @asynccontextmanager
    async def metered(self, user_id: UUID, resource: str, amount: int = 1) -> AsyncIterator[Reservation]:
        """Reserve quota for slow work, such as a call to a provider, and give it back if the block fails.

        No database connection is held during the block. Quota stays used where the work may have been done: if the
        client disconnects, the block is cancelled, or the process is killed. To count another amount than the reserved
        one, settle the reservation after the block.

        Raises:
            QuotaExceededError: the user's plan has less than `amount` left.
        """
        async with self.database.transaction() as session:
            reservation = await self.plans.reserve(session, user_id, resource, amount)
        try:
            yield reservation
        except (ClientDisconnect, WebSocketDisconnect):
            raise
        except Exception:
            async with self.database.transaction() as session:
                await self.plans.give_back(session, reservation)
            raise

    async def _audit_bulk_change(self, session: AsyncSession, change: BulkChange) -> None:
        await self.audit.record(session, bulk_entry(change))

    @contextmanager
    def _observe_database(self, telemetry: Telemetry) -> Iterator[None]:
        with ExitStack() as stack:
            for engine in self.database.engines:
                stack.enter_context(observe_engine(engine.sync_engine, telemetry))
            yield

    def _replace(self, providers: "Ports | dict[str, object]") -> None:
        for name, provider in providers.items():
            setattr(self, name, provider)


def _observe_calls(telemetry: Telemetry) -> AbstractContextManager[None]:
    def start(system: str) -> CallFinished:
        operation = telemetry.start(ExternalCall(system=system))

        def finish(report: CallReport) -> None:
            operation.circuit, operation.is_refused = report.circuit, report.is_refused
            telemetry.finish(operation, report.error)

        return finish

    return observe_calls(start)


def get_runtime(connection: HTTPConnection) -> Runtime:
    """Return the runtime of the application that serves the request or WebSocket."""
    return cast("Runtime", connection.app.state.runtime)
