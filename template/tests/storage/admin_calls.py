"""Calls of the admin routes for files."""

from typing import Final
from uuid import UUID, uuid4

from app.storage.models import File, FileStatus
from tests.conftest import ME
from tests.users.admin_walk import Call, Calls, Scene


async def delete(scene: Scene) -> Call:
    """Delete a stored file."""
    owner_id = UUID((await scene.client.get(ME, headers=scene.headers)).json()["id"])
    file = File(
        owner_id=owner_id,
        key=uuid4().hex,
        name="a.png",
        content_type="image/png",
        size=1,
        status=FileStatus.STORED,
    )
    async with scene.runtime.database.transaction() as session:
        session.add(file)
    return Call(f"/files/{file.id}")


CALLS: Final[Calls] = {"DELETE /files/{file_id}": delete}
