"""Connections of accounts that change, or as which an administrator no longer acts."""

import asyncio
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, update

from app.core.runtime import Runtime
from app.realtime.access import FULL_CHECK
from app.users.caller_sources import CallerSources
from app.users.models import user_identities, users
from app.users.roles import Role
from tests.realtime.server import Site, opened


async def change(site: Site, user_id: UUID, **values: Any) -> None:  # noqa: ANN401
    async with site.runtime.database.transaction() as writing:
        await writing.execute(update(users).where(users.c.id == user_id).values(**values))


class TestAccount:
    async def test_a_deactivated_user_is_cut_off_within_a_second(self, site: Site) -> None:
        user_id, headers = await site.user()
        _, others = await site.user("other@example.com")

        async with opened(site.url, headers) as client, opened(site.url, others) as other:
            await site.looked()
            await change(site, user_id, is_active=False)
            async with asyncio.timeout(1):
                assert await client.closed() == 4403
            await other.send(type="ping")
            await other.expect("pong")

    async def test_an_erased_user_is_cut_off(self, site: Site) -> None:
        user_id, headers = await site.user()

        async with opened(site.url, headers) as client:
            await site.looked()
            async with site.runtime.database.transaction() as writing:
                await writing.execute(delete(user_identities).where(user_identities.c.user_id == user_id))
                await writing.execute(delete(users).where(users.c.id == user_id))

            assert await client.closed() == 4403

    async def test_another_role_has_the_client_reconnect(self, site: Site) -> None:
        user_id, headers = await site.user()

        async with opened(site.url, headers) as client:
            await site.looked()
            await change(site, user_id, role=Role.ADMIN.value)

            assert await client.closed() == 4000

    async def test_revoked_tokens_end_the_connection(self, site: Site) -> None:
        user_id, headers = await site.user()

        async with opened(site.url, headers) as client:
            await site.looked()
            await change(site, user_id, tokens_valid_from=site.now())

            assert await client.closed() == 4401

    async def test_a_change_that_commits_after_a_newer_one_is_noticed(self, site: Site) -> None:
        user_id, headers = await site.user()
        other_id, others = await site.user("other@example.com")

        async with opened(site.url, headers) as client, opened(site.url, others):
            await site.looked()
            await change(site, other_id, full_name="Ada")
            await site.monitor.watch_access()
            await change(site, user_id, role=Role.ADMIN.value, updated_at=site.now() - timedelta(minutes=1))
            for _ in range(FULL_CHECK):
                await site.monitor.watch_access()

            assert await client.closed() == 4000

    async def test_the_end_of_an_impersonation_ends_its_connections(
        self, site: Site, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        _, headers = await site.user()
        _, others = await site.user("other@example.com")
        stopped, running = uuid4(), uuid4()
        ended: set[UUID] = set()

        async def find_ended(_runtime: Runtime, ids: Collection[UUID]) -> frozenset[UUID]:
            return frozenset(ended.intersection(ids))

        monkeypatch.setattr(site.runtime.resource(CallerSources), "find_ended", find_ended)
        async with opened(site.url, headers) as client, opened(site.url, others) as other:
            for each, id_ in zip(site.hub.connections, (stopped, running), strict=True):
                each.caller = replace(each.caller, impersonation_id=id_)
            await site.monitor.watch_access()
            ended.add(stopped)

            async with asyncio.timeout(2):
                assert await client.closed() == 4401
            await other.send(type="ping")
            await other.expect("pong")
