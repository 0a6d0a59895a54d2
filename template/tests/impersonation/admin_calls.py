"""Calls of the admin routes for impersonation."""

from typing import Final

from tests.impersonation.conftest import START
from tests.users.admin_calls import a_user
from tests.users.admin_walk import Call, Calls, Scene


async def start(scene: Scene) -> Call:
    """Start to impersonate a user."""
    return Call("/impersonate/start", {"user_id": await a_user(scene), "reason": "Ticket 42"})


async def stop(scene: Scene) -> Call:
    """Stop what was started."""
    (await scene.client.post(START, headers=scene.headers, json=(await start(scene)).json)).raise_for_status()
    return Call("/impersonate/stop")


CALLS: Final[Calls] = {"POST /impersonate/start": start, "POST /impersonate/stop": stop}
