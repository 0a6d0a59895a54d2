"""The guards. A route with a parameter `user: CurrentUser` receives the authenticated user.

They work for requests and for WebSockets alike.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Final, override

import structlog
from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials
from starlette.requests import HTTPConnection

from app.auth.authenticator import Authenticator
from app.auth.bearer import BearerToken
from app.auth.port import AssuranceLevel, GenuineTokenError, Identity, InvalidTokenError
from app.auth.settings import AuthSettings
from app.core.context import bind_user
from app.core.errors import UnauthorizedError
from app.core.http.client_address import client_address
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.http.guards import once_per_connection
from app.core.http.rate_limit import limit_address, limit_anonymous, limit_failed_authentication, limit_user
from app.core.http.route_dependencies import DocumentedDependency, Operation, document_error
from app.core.observability.pseudonym import pseudonym
from app.core.runtime import Runtime, get_runtime
from app.users.caller import Caller
from app.users.caller_sources import CallerSources
from app.users.claimed_roles import claimed_role
from app.users.errors import (
    AccountDeactivatedError,
    AdminRequiredError,
    AssuranceRequiredError,
    ImpersonationNotAllowedError,
    PermissionRequiredError,
    RoleRequiredError,
)
from app.users.identities import create_user, find_caller
from app.users.refusals import record_refusal
from app.users.roles import AccessPolicy, Role
from app.users.service import UserAdministration

security_log = structlog.stdlib.get_logger("app.security")


@once_per_connection
async def current_user(
    connection: HTTPConnection, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(BearerToken())]
) -> Caller:
    """Return the active user whose bearer token the request carries. Rate limits apply before the database is read.

    Raises:
        UnauthorizedError: the token is missing or not accepted.
        RateLimitedError: the user, or the address that fails to authenticate, exceeds a limit.
        AccountDeactivatedError: the user is deactivated.
    """
    if credentials is None:
        # A missing token is not a failed authentication.
        await limit_address(connection)
        raise UnauthorizedError
    runtime = get_runtime(connection)
    address = client_address(connection, runtime.settings.TRUSTED_PROXY_COUNT)
    client = pseudonym(runtime.settings.SECRET_KEY, address)
    try:
        caller = await identify(connection, runtime, credentials.credentials)
    except InvalidTokenError as error:
        security_log.info("token_refused", reason=error.reason, client=client)
        if isinstance(error, GenuineTokenError):
            await limit_user(connection, f"refused:{error.subject}")
        else:
            await limit_failed_authentication(connection)
        await record_refusal(runtime, error, client)
        raise
    except AccountDeactivatedError as error:
        await record_refusal(runtime, error, client)
        raise
    caller = replace(caller, client=client)
    bind_user(connection, caller.id, caller.actor)
    return caller


async def identify(connection: HTTPConnection, runtime: Runtime, token: str) -> Caller:
    """Return the active user of a token. The rate limits of the connection's route apply.

    Raises:
        InvalidTokenError: the token is not accepted.
        RateLimitedError: the user exceeds a limit.
        AccountDeactivatedError: the user is deactivated.
    """
    identity = await runtime.resource(Authenticator).authenticate(token)
    if identity.assurance.is_anonymous:
        await limit_anonymous(connection, runtime.resource(AuthSettings).RATE_LIMIT_ANONYMOUS)
    await limit_user(connection, f"{identity.provider}:{identity.subject}")
    source = runtime.resource(CallerSources).by_provider.get(identity.provider)
    if source is not None:
        caller = await source(runtime, connection, identity)
    else:
        caller = await find_caller(runtime.database, identity) or await _register(runtime, identity)
    policy = runtime.resource(AccessPolicy)
    role = policy.effective_role(caller.role)
    if identity.assurance.actor is not None and role == Role.ADMIN:
        # Someone else acts as the administrator, whom the audit log would name.
        role = Role.USER
    elif role == Role.USER:
        role = claimed_role(runtime.resource(AuthSettings), identity) or role
    return replace(caller, role=role, permissions=policy.permissions_of(role))


async def _register(runtime: Runtime, identity: Identity) -> Caller:
    """Create the user on the first request.

    No connection is held meanwhile: a hundred first requests at once would each wait for a second connection.
    """
    profile = await runtime.resource(Authenticator).profile(identity)
    await create_user(runtime, profile)
    caller = await find_caller(runtime.database, identity)
    if caller is None:
        raise UnauthorizedError
    return caller


CurrentUser = Annotated[Caller, Depends(current_user)]


class RoleGuard(DocumentedDependency):
    """A guard for users with one of these roles, and for administrators. See `require_role`."""

    def __init__(self, *roles: str) -> None:
        if not roles:
            raise ValueError("Name at least one role.")
        self.roles = tuple(dict.fromkeys(roles))

    async def __call__(self, caller: CurrentUser) -> Caller:
        """Return the current user.

        Raises:
            AdminRequiredError: only administrators may enter, and the user is none.
            RoleRequiredError: the user has another role.
        """
        if caller.is_admin or caller.role in self.roles:
            return caller
        raise AdminRequiredError if self._only_admins else RoleRequiredError(self.roles)

    @property
    def _only_admins(self) -> bool:
        return set(self.roles) == {Role.ADMIN}

    @override
    def document(self, operation: Operation) -> None:
        """Add the roles and the error to an operation. Of several guards, the user must satisfy each."""
        admitted = dict.fromkeys((*self.roles, Role.ADMIN.value))
        stated = operation.get("x-required-roles", admitted)
        operation["x-required-roles"] = [role for role in stated if role in admitted]
        _describe(operation, f"Requires the role {' or '.join(f'`{role}`' for role in self.roles)}.")
        document_error(operation, AdminRequiredError if self._only_admins else RoleRequiredError)


class PermissionGuard(DocumentedDependency):
    """A guard for users whose role has this permission, and for administrators. See `require_permission`."""

    def __init__(self, permission: str) -> None:
        self.permission = permission

    async def __call__(self, caller: CurrentUser) -> Caller:
        """Return the current user.

        Raises:
            PermissionRequiredError: the user's role lacks the permission.
        """
        if caller.is_admin or caller.has_permission(self.permission):
            return caller
        raise PermissionRequiredError(self.permission)

    @override
    def document(self, operation: Operation) -> None:
        """Add the permission and the error to an operation."""
        operation["x-required-permissions"] = [*operation.get("x-required-permissions", ()), self.permission]
        _describe(operation, f"Requires the permission `{self.permission}`.")
        document_error(operation, PermissionRequiredError)


def _describe(operation: Operation, sentence: str) -> None:
    operation["description"] = "\n\n".join(filter(None, (operation.get("description"), sentence)))


def require_role(*roles: str) -> RoleGuard:
    """Return a guard for users with one of these roles of `app/project_roles.py`, and for administrators.

    Use: `@router.get("/tickets", dependencies=[Depends(require_role("support"))])`.
    """
    return RoleGuard(*roles)


def require_permission(permission: str) -> PermissionGuard:
    """Return a guard for users whose role has this permission, and for administrators.

    Use: `@router.get("/export", dependencies=[Depends(require_permission("projects:export"))])`.
    """
    return PermissionGuard(permission)


admin_user: Final = RoleGuard(Role.ADMIN)

AdminUser = Annotated[Caller, Depends(admin_user)]


class PrivateRoute(DocumentedDependency):
    """A guard that refuses administrators who impersonate the user. See `private`."""

    async def __call__(self, caller: CurrentUser) -> None:
        """Admit the user.

        Raises:
            ImpersonationNotAllowedError: the caller is impersonated.
        """
        if caller.impersonator_id is not None:
            raise ImpersonationNotAllowedError

    @override
    def document(self, operation: Operation) -> None:
        """Add the error to an operation."""
        document_error(operation, ImpersonationNotAllowedError, "An administrator impersonates the user.")


private: Final = PrivateRoute()
"""The guard of routes that only users themselves may call: billing, erasure, keys.

Use: `router = APIRouter(prefix="/billing", dependencies=[Depends(private)])`.
"""


def require_assurance(level: AssuranceLevel) -> Callable[[Caller], Awaitable[Caller]]:
    """Return a guard for users who signed in with at least this assurance level.

    Use: `@router.post("/payouts", dependencies=[Depends(require_assurance("aal2"))])`.
    """

    async def assured_user(caller: CurrentUser) -> Caller:
        # The levels sort by their names.
        if caller.assurance.level < level:
            raise AssuranceRequiredError(level)
        return caller

    return assured_user


async def administration(admin: AdminUser, session: SessionDep, runtime: RuntimeDep) -> UserAdministration:
    """Return the administration of users by the current administrator, in the request's transaction."""
    return UserAdministration(session, runtime.audit, admin.actor, runtime.resource(AccessPolicy))


AdministrationDep = Annotated[UserAdministration, Depends(administration)]
