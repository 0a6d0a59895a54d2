"""Checks of roles: that guards name existing ones, and that users have existing ones."""

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import func, select

from app import project_roles
from app.auth.settings import AuthSettings
from app.core.config.settings import ConfigurationError
from app.core.http.route_dependencies import routes_with_dependencies
from app.core.manifest import Diagnostic, Module, modules_of
from app.core.runtime import Runtime
from app.users.caller_sources import CallerSources
from app.users.claimed_roles import mapping_problems
from app.users.dependencies import PermissionGuard, RoleGuard
from app.users.models import users
from app.users.roles import AccessPolicy, InvalidRolesError


def set_up_access(runtime: Runtime) -> None:
    """Provide the `AccessPolicy` of `app/project_roles.py` and the sources of callers. Check the guards of all routes.

    Raises:
        InvalidRolesError: names every problem at once.
        ConfigurationError: AUTH_ROLE_MAPPING is inconsistent.
    """
    policy = AccessPolicy(project_roles.PERMISSIONS, project_roles.ROLES)
    if problems := list(dict.fromkeys(_guard_problems(policy, modules_of(runtime)))):
        raise InvalidRolesError(problems)
    if wrong := list(mapping_problems(runtime.resource(AuthSettings), policy)):
        raise ConfigurationError(wrong)
    runtime.provide(AccessPolicy, policy)
    runtime.provide(CallerSources, CallerSources())


def _guard_problems(policy: AccessPolicy, modules: Sequence[Module]) -> Iterator[str]:
    for module in modules:
        for router in (module.public_router, module.router, module.admin_router):
            for route, calls in routes_with_dependencies(router.routes if router else ()):
                where = f"{module.name}: the route {route.path} requires"
                for call in calls:
                    if isinstance(call, RoleGuard):
                        for role in call.roles:
                            if role not in policy.roles:
                                yield f"{where} the role {role!a}, which ROLES does not define"
                    elif isinstance(call, PermissionGuard) and call.permission not in policy.permissions:
                        yield f"{where} the permission {call.permission!a}, which PERMISSIONS does not list"


async def _find_unknown_roles(runtime: Runtime) -> list[str]:
    known = runtime.resource(AccessPolicy).roles
    statement = select(users.c.role, func.count()).where(users.c.role.not_in(known)).group_by(users.c.role)
    async with runtime.database.reading() as session:
        found = (await session.execute(statement.order_by(users.c.role))).all()
    return [
        f"{count} users have the role {role}, which app/project_roles.py does not define. They count as `user`. Define "
        f"the role again, or assign another one: `app user list --role {role}`, then `app user grant`."
        for role, count in found
    ]


UNKNOWN_ROLES: Final = Diagnostic(name="roles", check=_find_unknown_roles)
