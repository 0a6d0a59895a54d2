"""Who may call: a route that asks for `user: CurrentUser` is given the user of the request's token."""

from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.requests import HTTPConnection

from app.auth.authenticator import Authenticator
from app.auth.port import Identity
from app.core.context import bind_user
from app.core.errors import UnauthorizedError
from app.core.http.dependencies import RuntimeDep, SessionDep
from app.core.http.guards import once_per_connection
from app.core.http.rate_limit import limit_address, limit_failed_authentication, limit_user
from app.core.runtime import Runtime, get_runtime
from app.users.caller import Caller
from app.users.errors import AdminRequiredError
from app.users.identities import find_caller, make_user
from app.users.service import UserAdministration

# Shows the field for the token in the API's documentation; what is missing is answered in our own shape.
_bearer = HTTPBearer(auto_error=False, scheme_name="token")


@once_per_connection
async def current_user(
    connection: HTTPConnection, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    """The active user whose bearer token the request carries. Before the database is asked, the limits are.

    Raises:
        UnauthorizedError: there is no token, or none to be trusted.
        RateLimitedError: the user, or the address that fails to authenticate, comes too often.
        AccountDeactivatedError: the user was shut out.
    """
    if credentials is None:
        # Nobody has tried anything: a failed authentication is a token that was refused.
        await limit_address(connection)
        raise UnauthorizedError
    runtime = get_runtime(connection)
    identity = await _authenticate(connection, runtime, credentials.credentials)
    await limit_user(connection, f"{identity.provider}:{identity.subject}")
    caller = await find_caller(runtime.database, identity) or await _first_seen(runtime, identity)
    bind_user(connection, caller.id)
    return caller


async def _authenticate(connection: HTTPConnection, runtime: Runtime, token: str) -> Identity:
    try:
        return await runtime.resource(Authenticator).authenticate(token)
    except UnauthorizedError:
        await limit_failed_authentication(connection)
        raise


async def _first_seen(runtime: Runtime, identity: Identity) -> Caller:
    """Makes the user. No connection is held here: a hundred first requests would each wait for a second one."""
    await make_user(runtime, await runtime.resource(Authenticator).profile(identity))
    caller = await find_caller(runtime.database, identity)
    if caller is None:
        raise UnauthorizedError
    return caller


CurrentUser = Annotated[Caller, Depends(current_user)]


async def admin_user(caller: CurrentUser) -> Caller:
    """The calling user, who is an administrator.

    Raises:
        AdminRequiredError: they are not.
    """
    if not caller.is_admin:
        raise AdminRequiredError
    return caller


AdminUser = Annotated[Caller, Depends(admin_user)]


async def user_administration(actor: AdminUser, session: SessionDep, runtime: RuntimeDep) -> UserAdministration:
    """Return the user administration, with the calling administrator as its actor."""
    return UserAdministration(session, runtime.audit, actor)


AdministrationDep = Annotated[UserAdministration, Depends(user_administration)]
