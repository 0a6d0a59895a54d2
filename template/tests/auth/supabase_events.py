"""Events of Supabase's database webhooks, signed."""

import base64
import json
from datetime import UTC, datetime

import pytest
from sqlalchemy import select
from standardwebhooks.webhooks import Webhook

from app.core.runtime import Runtime
from app.users.models import users

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


async def verified(runtime: Runtime) -> list[bool]:
    async with runtime.database.reading() as session:
        return list(await session.scalars(select(users.c.email_verified)))


ADA = (ID, "ada@example.com", "Ada Lovelace", True)
