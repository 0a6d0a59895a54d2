"""The contract of the webhooks that report users: what holds beside the contract of every webhook."""

import asyncio
from typing import ClassVar

import httpx
from sqlalchemy import select

from app.core.runtime import Runtime
from app.users.models import user_identities, users
from tests.core.inbox.webhook_contract import WebhookContract, drain_inbox

type Person = tuple[str, str | None, str | None, bool]
"""The subject, the email address, the name, and whether the user is active."""


async def people(runtime: Runtime) -> list[Person]:
    """Return all users that have an identity."""
    statement = (
        select(user_identities.c.subject, users.c.email, users.c.full_name, users.c.is_active)
        .join(users, users.c.id == user_identities.c.user_id)
        .order_by(user_identities.c.subject)
    )
    async with runtime.database.reading() as session:
        return [(subject, email, name, active) for subject, email, name, active in await session.execute(statement)]


class UserWebhookContract(WebhookContract):
    """Subclass with a `case` whose event reports a new user, this `person`."""

    person: ClassVar[Person]
    id_header: ClassVar[str]
    """The header with the id of an event."""

    async def test_a_new_user_is_created(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await self.case.send(client, self.case.event())
        (stored,) = await drain_inbox(runtime)

        assert (answer.status_code, answer.json()) == (202, {"received": True})
        assert (stored.provider, stored.event_id, stored.status) == (self.case.provider, "msg_1", "done")
        assert await people(runtime) == [self.person]

    async def test_twenty_concurrent_deliveries_create_one_user(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime
    ) -> None:
        answers = await asyncio.gather(*(self.case.send(live_client, self.case.event()) for _ in range(20)))

        assert {answer.status_code for answer in answers} == {202}
        assert len(await drain_inbox(live_runtime)) == 1
        assert await people(live_runtime) == [self.person]

    async def test_a_replay_with_another_id_is_refused(self, client: httpx.AsyncClient) -> None:
        body = self.case.event()
        headers = self.case.sign(body) | {self.id_header: "msg_2"}

        assert (await client.post(self.case.url, content=body, headers=headers)).status_code == 400
