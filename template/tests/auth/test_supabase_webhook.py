import asyncio
import base64
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine
from standardwebhooks.webhooks import Webhook

from app.core.runtime import Runtime
from app.dev.servers.postgres import private_postgres
from app.users.models import user_identities, users
from tests.core.inbox.webhook_contract import WebhookCase, WebhookContract, drain_inbox

URL = "/api/v1/public/webhooks/supabase"
SECRET = "whsec_" + base64.b64encode(b"a-webhook-secret-of-32-bytes....").decode()
ID = "0b0e3c0e-6c0f-4a53-9a4b-3f4f7f1d2a10"
NOW = datetime(2026, 11, 1, 12, tzinfo=UTC)


@pytest.fixture(autouse=True)
def webhook_secret(environment: None, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: ARG001 - the order matters
    monkeypatch.setenv("SUPABASE_WEBHOOK_SECRET", SECRET)


def event(kind: str = "INSERT", *, at: object = NOW, **changes: object) -> bytes:
    row = {
        "id": ID,
        "email": "ada@example.com",
        "email_confirmed_at": NOW.isoformat(),
        "raw_user_meta_data": {"full_name": "Ada Lovelace", "role": "admin"},
        "encrypted_password": "$2a$10$hash",
        "deleted_at": None,
        **changes,
    }
    content = {
        "type": kind,
        "schema": "auth",
        "table": "users",
        "timestamp": at.isoformat() if isinstance(at, datetime) else at,
        "record": None if kind == "DELETE" else row,
        "old_record": row if kind == "DELETE" else None,
    }
    return json.dumps(content).encode()


def signed(body: bytes, *, id_: str = "msg_1", at: datetime | None = None) -> dict[str, str]:
    sent = at or datetime.now(UTC)
    signature = Webhook(SECRET).sign(id_, sent, body.decode())
    return {"webhook-id": id_, "webhook-timestamp": str(int(sent.timestamp())), "webhook-signature": signature}


async def people(runtime: Runtime) -> list[tuple[str, str | None, str | None, bool]]:
    statement = (
        select(user_identities.c.subject, users.c.email, users.c.full_name, users.c.is_active)
        .join(users, users.c.id == user_identities.c.user_id)
        .order_by(user_identities.c.subject)
    )
    async with runtime.database.reading() as session:
        return [tuple(row) for row in (await session.execute(statement)).all()]


async def verified(runtime: Runtime) -> list[bool]:
    async with runtime.database.reading() as session:
        return list(await session.scalars(select(users.c.email_verified)))


ADA = (ID, "ada@example.com", "Ada Lovelace", True)


CASE = WebhookCase(
    provider="supabase",
    url=URL,
    secret_setting="SUPABASE_WEBHOOK_SECRET",
    secret=SECRET,
    event=event,
    tampered=lambda: event(email="evil@example.com"),
    sign=signed,
    withheld=("$2a$",),
)
send = CASE.send


class TestContract(WebhookContract):
    case = CASE


class TestReceive:
    async def test_a_new_user_is_created(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await send(client, event())
        (stored,) = await drain_inbox(runtime)

        assert (answer.status_code, answer.json()) == (202, {"received": True})
        assert (stored.provider, stored.event_id, stored.status) == ("supabase", "msg_1", "done")
        assert await people(runtime) == [ADA]

    async def test_twenty_concurrent_deliveries_create_one_user(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime
    ) -> None:
        await asyncio.gather(*(send(live_client, event()) for _ in range(20)))
        await drain_inbox(live_runtime)

        assert await people(live_runtime) == [ADA]

    async def test_a_replay_under_another_id_is_rejected(self, client: httpx.AsyncClient) -> None:
        body = event()
        headers = signed(body) | {"webhook-id": "msg_2"}

        assert (await client.post(URL, content=body, headers=headers)).status_code == 400


class TestApply:
    async def test_a_change_is_taken_over(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        changed = event("UPDATE", at=NOW + timedelta(seconds=1), raw_user_meta_data={"name": "Ada King"})
        await send(client, changed, id_="msg_2")
        await drain_inbox(runtime)

        assert await people(runtime) == [(ID, "ada@example.com", "Ada King", True)]

    @pytest.mark.parametrize("confirmed_at", [None, False, 0, []], ids=repr)
    async def test_an_address_that_is_not_confirmed_is_left_out(
        self, client: httpx.AsyncClient, runtime: Runtime, confirmed_at: object
    ) -> None:
        await send(client, event(email_confirmed_at=confirmed_at))
        await drain_inbox(runtime)

        assert await people(runtime) == [(ID, None, "Ada Lovelace", True)]
        assert await verified(runtime) == [False]

    async def test_a_confirmed_address_is_verified(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event())
        await drain_inbox(runtime)

        assert await verified(runtime) == [True]

    async def test_an_older_trigger_does_not_verify_addresses(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        content = json.loads(event())
        del content["record"]["email_confirmed_at"]
        await send(client, json.dumps(content).encode())
        await drain_inbox(runtime)

        assert await people(runtime) == [ADA]
        assert await verified(runtime) == [False]

    async def test_an_older_change_that_comes_late_is_not(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, event("UPDATE", at=NOW + timedelta(seconds=5)))
        await drain_inbox(runtime)
        await send(client, event(email="old@example.com"), id_="msg_2")
        await drain_inbox(runtime)

        assert await people(runtime) == [ADA]

    @pytest.mark.parametrize(
        "gone", [event("DELETE", at=NOW + timedelta(seconds=5)), event("UPDATE", deleted_at=NOW.isoformat())]
    )
    async def test_who_is_deleted_is_shut_out(self, client: httpx.AsyncClient, runtime: Runtime, gone: bytes) -> None:
        await send(client, event())
        await drain_inbox(runtime)
        await send(client, gone, id_="msg_2")
        await drain_inbox(runtime)

        assert [active for *_, active in await people(runtime)] == [False]

    async def test_other_tables_are_none_of_our_business(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        await send(client, b'{"type": "INSERT", "schema": "public", "table": "users", "record": {"id": "x"}}')

        assert [stored.status for stored in await drain_inbox(runtime)] == ["done"]
        assert await people(runtime) == []

    @pytest.mark.parametrize(
        ("body", "reason"),
        [
            (b"not JSON", "type"),
            (b"{}", "type"),
            (event("TRUNCATE"), "type"),
            (event("INSERT", id=None), "no id"),
            (event("INSERT", id=["x"]), "no id"),
            (b'{"type": "INSERT", "schema": "auth", "table": "users", "record": []}', "no id"),
            (event(at=None), "timestamp"),
            (event(at="yesterday"), "timestamp"),
            (event(at="2026-11-01T12:00:00"), "timestamp"),
            (event(at=5), "timestamp"),
        ],
        ids=range(10),
    )
    async def test_a_signed_event_that_makes_no_sense_is_kept_with_the_reason(
        self, client: httpx.AsyncClient, runtime: Runtime, body: bytes, reason: str
    ) -> None:
        assert (await send(client, body)).status_code == 202
        (stored,) = await drain_inbox(runtime)

        assert stored.status == "failed"
        assert stored.error is not None
        assert reason in stored.error
        assert await people(runtime) == []


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
        """Sends what is in the queue, as `pg_net` does, and gives the answers' status."""
        requests = await project.fetch("delete from net.http_request_queue returning url, headers::text, body")
        return [
            (await client.post(row["url"], content=row["body"], headers=json.loads(row["headers"]))).status_code
            for row in requests
        ]

    async def test_what_it_sends_keeps_the_user_in_step(
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

    async def test_it_sends_neither_more_columns_nor_more_often_than_needed(self, project: Driver) -> None:
        await self.set_up_vault(project)
        await project.execute("insert into auth.users (id, encrypted_password) values ($1, 'hash')", ID)
        await project.execute("update auth.users set encrypted_password = 'other hash'")
        bodies = [row["body"].decode() for row in await project.fetch("select body from net.http_request_queue")]

        assert len(bodies) == 1
        assert "hash" not in bodies[0]

    async def test_without_its_secrets_nobody_is_kept_from_signing_up(self, project: Driver) -> None:
        await project.execute("insert into auth.users (id) values ($1)", ID)

        assert await project.fetchval("select count(*) from auth.users") == 1
