"""Your own permissions and roles. This file is yours: updates of the template never touch it.

docs/roles.md explains them:

    PERMISSIONS: tuple[str, ...] = ("projects:export", "tickets:answer")

    ROLES: tuple[RoleDefinition, ...] = (RoleDefinition("support", permissions=("tickets:answer",)),)
"""

from app.users.roles import RoleDefinition

PERMISSIONS: tuple[str, ...] = ()

ROLES: tuple[RoleDefinition, ...] = ()
