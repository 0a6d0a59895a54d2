"""The caller of a request with a token of an impersonation."""

from collections.abc import Collection
from uuid import UUID

from starlette.requests import HTTPConnection

from app.auth.port import Identity
from app.core.context import context_of
from app.core.http.client_address import client_address
from app.core.http.dependencies import SAFE_METHODS
from app.core.observability.pseudonym import pseudonym
from app.core.ports.audit import AuditEntry
from app.core.runtime import Runtime
from app.impersonation.errors import ImpersonationEndedError
from app.impersonation.queries import find_impersonated, find_in_effect
from app.impersonation.service import close_ended
from app.impersonation.tokens import impersonation_id
from app.users.caller import Caller


async def impersonated_caller(runtime: Runtime, connection: HTTPConnection, identity: Identity) -> Caller:
    """Return the impersonated user. A request that may change something is recorded in the audit trail.

    Raises:
        ImpersonationEndedError: the impersonation is not in effect, or the token is of other people than the row.
    """
    caller = await find_impersonated(runtime.database, impersonation_id(identity), identity)
    if caller is None:
        # It stays ended, even if both people may take part again.
        await close_ended(runtime)
        raise ImpersonationEndedError(identity.subject)
    if (str(caller.id), str(caller.impersonator_id)) != (identity.subject, identity.assurance.actor):
        raise ImpersonationEndedError(identity.subject)
    method = connection.scope.get("method", "WEBSOCKET")
    if method not in SAFE_METHODS:
        route = context_of(connection).route
        address = client_address(connection, runtime.settings.TRUSTED_PROXY_COUNT)
        entry = AuditEntry(
            actor_id=caller.impersonator_id,
            impersonated_id=caller.id,
            action="impersonation.used",
            target_type="route",
            target_id=f"{method} {'unknown' if route is None else route.template}",
            client=pseudonym(runtime.settings.SECRET_KEY, address),
        )
        async with runtime.database.transaction() as session:
            await runtime.audit.record(session, entry)
    return caller


async def ended_impersonations(runtime: Runtime, ids: Collection[UUID]) -> frozenset[UUID]:
    """Return which of the impersonations are no longer in effect."""
    return frozenset(ids) - await find_in_effect(runtime.database, ids)
