"""Calls of the admin routes for feature flags."""

from typing import Any, Final
from uuid import UUID, uuid4

from app.feature_flags.models import FeatureFlag, FeatureFlagUser
from tests.conftest import ME
from tests.users.admin_walk import Call, Calls, MakeCall, Scene

FLAG: Final = "/feature-flags/{flag_id}"


async def create(_scene: Scene) -> Call:
    """Create a flag."""
    return Call("/feature-flags", {"key": f"flag-{uuid4().hex}"})


def on_flag(path: str, *, enabled: bool = True, listed: bool = False, json: Any = None) -> MakeCall:  # noqa: ANN401 - a body
    """Call a route of a new flag.

    Args:
        path: the path after that of the flag.
        enabled: whether the flag is enabled before.
        listed: whether the administrator is in its list before.
        json: the body. By default the administrator's id, for the routes of the list.
    """

    async def call(scene: Scene) -> Call:
        user_id = UUID((await scene.client.get(ME, headers=scene.headers)).json()["id"])
        flag = FeatureFlag(key=f"flag-{uuid4().hex}", enabled=enabled, rules=[], user_count=int(listed))
        async with scene.runtime.database.transaction() as session:
            session.add(flag)
            await session.flush()
            if listed:
                session.add(FeatureFlagUser(flag_id=flag.id, user_id=user_id))
        return Call(f"/feature-flags/{flag.id}{path}", {"user_id": str(user_id)} if path.endswith("-user") else json)

    return call


CALLS: Final[Calls] = {
    "POST /feature-flags": create,
    f"PATCH {FLAG}": on_flag("", json={"description": "For testers."}),
    f"DELETE {FLAG}": on_flag(""),
    f"POST {FLAG}/enable": on_flag("/enable", enabled=False),
    f"POST {FLAG}/disable": on_flag("/disable"),
    f"POST {FLAG}/add-user": on_flag("/add-user"),
    f"POST {FLAG}/remove-user": on_flag("/remove-user", listed=True),
}
