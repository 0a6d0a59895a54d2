"""Roles of a test, beside those of the project."""

import pytest

from app import project_roles
from app.users.roles import RoleDefinition


def define_roles(monkeypatch: pytest.MonkeyPatch, *roles: RoleDefinition, permissions: tuple[str, ...] = ()) -> None:
    """Add roles to `app/project_roles.py`. Those of the project remain, since its own modules require them."""
    names = {role.name for role in roles}
    kept = [role for role in project_roles.ROLES if role.name not in names]
    monkeypatch.setattr(project_roles, "ROLES", (*kept, *roles))
    monkeypatch.setattr(project_roles, "PERMISSIONS", tuple({*project_roles.PERMISSIONS, *permissions}))
