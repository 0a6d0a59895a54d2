"""The trigger of the documentation, executed by PostgreSQL."""

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import create_async_engine

from app.core.runtime import Runtime
from app.dev.servers.postgres import private_postgres
from tests.auth.supabase_events import ID, SECRET, URL, verified, webhook_secret
from tests.auth.user_webhook_contract import people
from tests.core.inbox.webhook_contract import drain_inbox

__all__ = ["webhook_secret"]


# What a Supabase project has and a plain PostgreSQL has not. `hmac` is RFC 2104, from what PostgreSQL brings along.
SURROUNDINGS = """
create schema extensions;
create function extensions.hmac(message bytea, key bytea, kind text) returns bytea language plpgsql as $$
declare
  inner_pad bytea := decode(repeat('36', 64), 'hex');
  outer_pad bytea := decode(repeat('5c', 64), 'hex');
begin
  for i in 0..length(key) - 1 loop
    inner_pad := set_byte(inner_pad, i, get_byte(inner_pad, i) # get_byte(key, i));
    outer_pad := set_byte(outer_pad, i, get_byte(outer_pad, i) # get_byte(key, i));
  end loop;
  return sha256(outer_pad || sha256(inner_pad || message));
end;
$$;
create schema vault;
create table vault.decrypted_secrets (name text, decrypted_secret text);
create schema net;
create table net.http_request_queue (url text, headers jsonb, body bytea);
create function net.http_post(url text, body jsonb, headers jsonb) returns void language sql as
  $$ insert into net.http_request_queue values (url, headers, convert_to(body::text, 'UTF8')) $$;
create schema auth;
create table auth.users (
  id uuid primary key, email text, raw_user_meta_data jsonb, encrypted_password text, deleted_at timestamptz,
  email_confirmed_at timestamptz
);
"""


type Driver = Any
"""A connection of asyncpg, which has no types; SQLAlchemy does not run several statements at once."""


class TestDocumentedTrigger:
    """The trigger of docs/auth-supabase.md, on a real PostgreSQL."""

    @pytest.fixture
    async def project(self, tmp_path: Path) -> AsyncIterator[Driver]:
        page = (Path(__file__).parents[2] / "docs/auth-supabase.md").read_text()
        trigger = next(block for block in re.findall(r"```sql\n(.*?)```", page, re.DOTALL) if "trigger" in block)
        with private_postgres(tmp_path / "postgres", durable=False) as server:
            engine = create_async_engine(server.url(), isolation_level="AUTOCOMMIT")
            async with engine.connect() as connection:
                driver: Driver = (await connection.get_raw_connection()).driver_connection
                await driver.execute(SURROUNDINGS + trigger)
                yield driver
            await engine.dispose()

    async def set_up_vault(self, project: Driver) -> None:
        await project.executemany(
            "insert into vault.decrypted_secrets values ($1, $2)",
            [("user_webhook_url", f"http://testserver{URL}"), ("user_webhook_secret", SECRET)],
        )

    async def deliver(self, project: Driver, client: httpx.AsyncClient) -> list[int]:
        """Send the queued requests, as `pg_net` does, and return the status codes."""
        requests = await project.fetch("delete from net.http_request_queue returning url, headers::text, body")
        return [
            (await client.post(row["url"], content=row["body"], headers=json.loads(row["headers"]))).status_code
            for row in requests
        ]

    async def test_its_events_synchronise_the_user(
        self, project: Driver, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        await self.set_up_vault(project)
        await project.execute(
            "insert into auth.users values ($1, $2, $3, 'hash')", ID, "ada@example.com", '{"full_name": "Ada Löve"}'
        )
        assert await self.deliver(project, client) == [202]
        await drain_inbox(runtime)
        assert await people(runtime) == [(ID, None, "Ada Löve", True)]

        await project.execute("update auth.users set email_confirmed_at = now()")
        assert await self.deliver(project, client) == [202]
        await drain_inbox(runtime)
        assert await people(runtime) == [(ID, "ada@example.com", "Ada Löve", True)]
        assert await verified(runtime) == [True]

        await project.execute("update auth.users set email = 'new@example.com'")
        assert await self.deliver(project, client) == [202]
        await drain_inbox(runtime)
        assert await people(runtime) == [(ID, "new@example.com", "Ada Löve", True)]

        await project.execute("delete from auth.users")
        assert await self.deliver(project, client) == [202]
        assert {stored.status for stored in await drain_inbox(runtime)} == {"done"}
        assert await people(runtime) == [(ID, "new@example.com", "Ada Löve", False)]

    async def test_it_sends_only_the_needed_columns_and_changes(self, project: Driver) -> None:
        await self.set_up_vault(project)
        await project.execute("insert into auth.users (id, encrypted_password) values ($1, 'hash')", ID)
        await project.execute("update auth.users set encrypted_password = 'other hash'")
        bodies = [row["body"].decode() for row in await project.fetch("select body from net.http_request_queue")]

        assert len(bodies) == 1
        assert "hash" not in bodies[0]

    async def test_without_its_secrets_users_can_still_sign_up(self, project: Driver) -> None:
        await project.execute("insert into auth.users (id) values ($1)", ID)

        assert await project.fetchval("select count(*) from auth.users") == 1
