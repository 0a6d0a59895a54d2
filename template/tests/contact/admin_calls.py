"""A call of every admin route of the contact form that changes something."""

from typing import Final

from tests.contact.conftest import filled_form, send
from tests.users.admin_walk import Call, Calls, Scene


async def change_state(scene: Scene) -> Call:
    """Mark a new message as answered."""
    id_ = await send(scene.client, filled_form(scene.runtime))
    return Call(f"/contact/{id_}", {"state": "answered"})


CALLS: Final[Calls] = {"PATCH /contact/{message_id}": change_state}
