"""Roles and permissions. `app/project_roles.py` lists the project's own."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from app.kit.user_error import UserError
from app.users.errors import UnknownRoleError

logger = structlog.stdlib.get_logger(__name__)

MAX_ROLE_LENGTH: Final = 50
MAX_PERMISSION_LENGTH: Final = 100
ROLE_PATTERN: Final = r"^[a-z][a-z0-9_-]{0,49}$"
"""ASCII only, so that no two names look alike."""

_PERMISSION: Final = re.compile(r"[a-z][a-z0-9_-]*(:[a-z][a-z0-9_-]*)+")


class Role(StrEnum):
    """The roles that every project has. A role is stored only in the database."""

    USER = "user"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class RoleDefinition:
    """A role of the project.

    Attributes:
        name: lower-case ASCII letters, digits, `-` and `_`, such as `support`. `user` and `admin` are reserved.
        permissions: each of them is listed in PERMISSIONS.
    """

    name: str
    permissions: tuple[str, ...] = ()


class InvalidRolesError(UserError):
    """The roles and permissions of the project are inconsistent. Names every problem at once."""

    def __init__(self, problems: Iterable[str]) -> None:
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"Some roles or permissions are invalid:\n{lines}\nCorrect them; see docs/roles.md.")


class AccessPolicy:
    """The roles of the project and their permissions. Get it with `runtime.resource(AccessPolicy)`.

    The role `admin` has every permission, and `user` has none.

    Raises:
        InvalidRolesError: names every malformed, repeated, reserved or unknown name.
    """

    def __init__(self, permissions: Sequence[str] = (), roles: Sequence[RoleDefinition] = ()) -> None:
        if problems := [*_permission_problems(permissions), *_role_problems(permissions, roles)]:
            raise InvalidRolesError(problems)
        self.permissions = frozenset(permissions)
        self._granted: dict[str, frozenset[str]] = {
            Role.USER.value: frozenset(),
            Role.ADMIN.value: self.permissions,
            **{role.name: frozenset(role.permissions) for role in roles},
        }
        self._reported: set[str] = set()

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of all roles, `user` and `admin` first."""
        return tuple(self._granted)

    def require(self, role: str) -> str:
        """Return the role.

        Raises:
            UnknownRoleError: the project has no such role.
        """
        if role not in self._granted:
            raise UnknownRoleError(role, self.roles)
        return role

    def effective_role(self, stored: str) -> str:
        """Return the stored role, or `user` if the project no longer has it. Logs each such role once."""
        if stored in self._granted:
            return stored
        if stored not in self._reported:
            self._reported.add(stored)
            logger.warning("unknown_role_treated_as_user", role=stored)
        return Role.USER.value

    def permissions_of(self, role: str) -> frozenset[str]:
        """Return the permissions of a role; none for an unknown one."""
        return self._granted.get(role, frozenset())


def _permission_problems(permissions: Sequence[str]) -> Iterator[str]:
    yield from (f"PERMISSIONS: {name} is listed twice" for name in _repeated(permissions))
    for name in permissions:
        if len(name) > MAX_PERMISSION_LENGTH or not _PERMISSION.fullmatch(name):
            yield (
                f"PERMISSIONS: {name!a} is malformed; write it as area:action in lower-case ASCII letters, digits, "
                f"- and _, with at most {MAX_PERMISSION_LENGTH} characters"
            )


def _role_problems(permissions: Sequence[str], roles: Sequence[RoleDefinition]) -> Iterator[str]:
    yield from (f"ROLES: {name} is defined twice" for name in _repeated([role.name for role in roles]))
    for role in roles:
        if role.name in set(Role):
            yield f"ROLES: {role.name} is reserved; every project has this role"
        elif not re.fullmatch(ROLE_PATTERN, role.name):
            yield (
                f"ROLES: {role.name!a} is malformed; write it in lower-case ASCII letters, digits, - and _, with at "
                f"most {MAX_ROLE_LENGTH} characters"
            )
        for permission in role.permissions:
            if permission not in permissions:
                yield f"ROLES: {role.name!a} has the permission {permission!a}, which PERMISSIONS does not list"


def _repeated(names: Sequence[str]) -> list[str]:
    return [name for name, count in Counter(names).items() if count > 1]
