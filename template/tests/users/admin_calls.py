"""Calls of the admin routes for users."""

from typing import Final

from app.users.models import User
from tests.users.admin_walk import Call, Calls, Scene


async def a_user(scene: Scene, *, is_active: bool = True) -> str:
    """The id of a new user."""
    user = User(is_active=is_active)
    async with scene.runtime.database.transaction() as session:
        session.add(user)
    return str(user.id)


async def update(scene: Scene) -> Call:
    """Change a role."""
    return Call(f"/users/{await a_user(scene)}", {"role": "admin"})


async def deactivate(scene: Scene) -> Call:
    """Deactivate a user."""
    return Call(f"/users/{await a_user(scene)}/deactivate")


async def activate(scene: Scene) -> Call:
    """Activate a user."""
    return Call(f"/users/{await a_user(scene, is_active=False)}/activate")


CALLS: Final[Calls] = {
    "PATCH /users/{user_id}": update,
    "POST /users/{user_id}/deactivate": deactivate,
    "POST /users/{user_id}/activate": activate,
}
