"""The public routes of the contact form."""

import asyncio
from typing import Any

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from app.contact.models import MessageState, SpamReason
from app.core.runtime import Runtime
from tests.conftest import SignIn
from tests.contact.conftest import ADA, CONTACT, Outbox, configure, filled_form, keep_mail, messages, send
from tests.statements import statements_of

REQUIRED = ["name", "email", "message"]


def problems(answer: httpx.Response) -> list[str]:
    """Return the places of a validation error."""
    assert answer.status_code == 422, answer.text
    return [".".join(map(str, item["loc"][1:])) for item in answer.json()["error"]["details"]["errors"]]


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


class TestStatus:
    async def test_has_a_token_and_the_required_fields(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        answer = await client.get(f"{CONTACT}/status")
        status = answer.json()
        assert status.pop("form_token")
        assert status == {"required": REQUIRED, "consent_version": None}
        assert answer.headers["cache-control"] == "no-store"

        configure(runtime, CONTACT_REQUIRE_SUBJECT=True, CONTACT_REQUIRE_PHONE=True, CONTACT_CONSENT_VERSION="2026-01")
        status = (await client.get(f"{CONTACT}/status")).json()
        assert status["required"] == [*REQUIRED, "subject", "phone", "consent"]
        assert status["consent_version"] == "2026-01"

    async def test_asks_the_database_nothing(self, live_client: httpx.AsyncClient, live_runtime: Runtime) -> None:
        with statements_of(live_runtime.database) as statements:
            await live_client.get(f"{CONTACT}/status")
        assert statements == []


class TestSend:
    async def test_stores_everything(self, client: httpx.AsyncClient, runtime: Runtime, session: AsyncSession) -> None:
        extra = {"team_size": 12, "newsletter": True, "budget": 0.5, "Über": "x"}
        body = filled_form(
            runtime,
            email="Ada@Example.COM",
            name=" Ada\u0301 ",
            subject="Schools",
            phone="+41 44 668 18 00",
            company="Analytical Engines",
            extra_fields={key: value for key, value in extra.items() if key.isascii()},
            source={
                "utm_source": "news\nletter",
                "utm_campaign": "x" * 5000,
                "referrer": "https://user:secret@search.example:8443/a/b?q=my+illness#x",
                "page": "javascript:alert(1)",
            },
        )
        id_ = await send(client, body)
        (message,) = await messages(session)
        assert (str(message.id), message.state, message.spam_reason) == (id_, MessageState.NEW, None)
        assert (message.name, message.email, message.email_key) == ("Adá", "Ada@example.com", "ada@example.com")
        assert (message.subject, message.phone, message.company) == ("Schools", "+41446681800", "Analytical Engines")
        assert message.extra_fields == {"team_size": 12, "newsletter": True, "budget": 0.5}
        assert message.source == {
            "utm_source": "news letter",
            "utm_campaign": "x" * 300,
            "referrer": "https://search.example:8443/a/b",
        }
        assert (message.consent_version, message.consent_at) == (None, None)

    async def test_refuses_a_bad_field(
        self, client: httpx.AsyncClient, runtime: Runtime, session: AsyncSession
    ) -> None:
        body = {**filled_form(runtime), "name": "Ada\r\nBcc: victim@example.com", "extra_fields": {"a": {"b": 1}}}
        assert {place.partition(".")[0] for place in problems(await client.post(CONTACT, json=body))} == {
            "name",
            "extra_fields",
        }
        assert await messages(session) == []

    @pytest.mark.parametrize("field", ["name", "email", "message", "form_token"])
    async def test_refuses_a_message_without(self, client: httpx.AsyncClient, runtime: Runtime, field: str) -> None:
        body = filled_form(runtime)
        del body[field]
        assert problems(await client.post(CONTACT, json=body)) == [field]

    async def test_refuses_a_message_without_the_fields_that_the_settings_require(
        self, client: httpx.AsyncClient, runtime: Runtime
    ) -> None:
        configure(runtime, CONTACT_REQUIRE_SUBJECT=True, CONTACT_REQUIRE_PHONE=True)
        assert problems(await client.post(CONTACT, json=filled_form(runtime))) == ["subject", "phone"]
        await send(client, filled_form(runtime, subject="Schools", phone="+41446681800"))

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"null",
            b"[]",
            b"{",
            b'{"name": "\\ud800"}',
            b"\xff",
            b'{"extra_fields": ' + b'{"a": ' * 10_000 + b"1" + b"}" * 10_001,
            b'{"extra_fields": ' + b"[" * 15_000 + b"]" * 15_000 + b"}",
            b'{"extra_fields": {' + b",".join(b'"%d": 1' % number for number in range(19_000)) + b"}}",
            b'{"message": "' + b"x" * 900_000 + b'"}',
        ],
        ids=lambda body: ascii(body)[:20],
    )
    async def test_refuses_a_bad_body(self, client: httpx.AsyncClient, body: bytes) -> None:
        answer = await client.post(CONTACT, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code in {400, 413, 422}, answer.text
        assert len(answer.content) < 10_000

    async def test_is_limited_by_address(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        configure(runtime, CONTACT_RATE_LIMIT="5/hour")
        answers = [(await client.post(CONTACT, json=filled_form(runtime))).status_code for _ in range(6)]
        assert answers == [201] * 5 + [429]
        assert (await client.get(f"{CONTACT}/status")).status_code == 200

    async def test_works_with_and_without_a_token_of_a_user(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn
    ) -> None:
        answer = await client.post(CONTACT, json=filled_form(runtime), headers=await sign_in())
        assert answer.status_code == 201


class TestConsent:
    async def test_is_stored_with_its_time(
        self, client: httpx.AsyncClient, runtime: Runtime, session: AsyncSession
    ) -> None:
        configure(runtime, CONTACT_CONSENT_VERSION="2026-01")
        await send(client, filled_form(runtime, consent="2026-01"))
        (message,) = await messages(session)
        assert message.consent_version == "2026-01"
        assert message.consent_at == message.created_at

    @pytest.mark.parametrize("consent", [None, "", "2025-01", "true"])
    async def test_to_another_text_is_refused(
        self, client: httpx.AsyncClient, runtime: Runtime, consent: str | None
    ) -> None:
        configure(runtime, CONTACT_CONSENT_VERSION="2026-01")
        assert problems(await client.post(CONTACT, json=filled_form(runtime, consent=consent))) == ["consent"]

    async def test_that_was_not_asked_for_is_not_stored(
        self, client: httpx.AsyncClient, runtime: Runtime, session: AsyncSession
    ) -> None:
        await send(client, filled_form(runtime, consent="2026-01"))
        assert (await messages(session))[0].consent_version is None


class TestSpam:
    @pytest.mark.parametrize(
        "form", [{"website": "https://casino.example"}, {"age": 0}, {"age": 2.5}, {"age": -30}], ids=str
    )
    async def test_is_stored_and_not_sent(
        self,
        client: httpx.AsyncClient,
        runtime: Runtime,
        session: AsyncSession,
        outbox: Outbox,
        form: dict[str, Any],
    ) -> None:
        await send(client, filled_form(runtime, **form))
        await runtime.queue.drain()
        (message,) = await messages(session)
        reason = SpamReason.HONEYPOT if "website" in form else SpamReason.TOO_FAST
        assert (message.state, message.spam_reason) == (MessageState.SPAM, reason)
        assert outbox.sent == []

    async def test_a_form_that_took_a_while_is_none(
        self, client: httpx.AsyncClient, runtime: Runtime, session: AsyncSession
    ) -> None:
        await send(client, filled_form(runtime, age=4, website="  "))
        assert (await messages(session))[0].state is MessageState.NEW


class TestToken:
    @pytest.mark.parametrize("age", [24 * 3600 + 1, -120])
    async def test_that_has_expired_is_refused(
        self, client: httpx.AsyncClient, runtime: Runtime, session: AsyncSession, age: int
    ) -> None:
        answer = await client.post(CONTACT, json=filled_form(runtime, age=age))
        assert code(answer) == (400, "FORM_EXPIRED")
        assert await messages(session) == []

    async def test_that_is_forged_is_refused(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        token = filled_form(runtime)["form_token"]
        for forged in (
            "",
            "x",
            token[:-1],
            token + "A",
            "A" * len(token),
            ("B" if token[0] != "B" else "C") + token[1:],
        ):
            answer = await client.post(CONTACT, json=filled_form(runtime, form_token=forged))
            assert code(answer) == (400, "FORM_EXPIRED"), forged

    async def test_is_good_for_one_message_which_may_be_sent_again(
        self, client: httpx.AsyncClient, runtime: Runtime, session: AsyncSession, outbox: Outbox
    ) -> None:
        body = filled_form(runtime, extra_fields={"a": 1})
        first = await send(client, body)
        assert await send(client, body) == first
        for change in ({"message": "Other"}, {"email": "other@example.com"}, {"extra_fields": {"a": 2}}):
            assert code(await client.post(CONTACT, json={**body, **change})) == (409, "FORM_ALREADY_SENT")
        assert len(await messages(session)) == 1
        await runtime.queue.drain()
        assert outbox.recipients == [ADA["email"], "team@example.com"]

    async def test_stays_valid_when_the_key_is_rotated(self, client: httpx.AsyncClient, runtime: Runtime) -> None:
        body = filled_form(runtime)
        old = runtime.settings
        new = old.model_copy(update={"SECRET_KEY": type(old.SECRET_KEY)("n" * 64)})
        runtime.settings = new
        assert code(await client.post(CONTACT, json=body)) == (400, "FORM_EXPIRED")
        runtime.settings = new.model_copy(update={"SECRET_KEY_PREVIOUS": (old.SECRET_KEY,)})
        await send(client, body)


class TestConcurrency:
    async def test_a_hundred_copies_of_a_form_are_one_message(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime
    ) -> None:
        outbox, body = keep_mail(live_runtime), filled_form(live_runtime)
        ids = await asyncio.gather(*(send(live_client, body) for _ in range(100)))
        await live_runtime.queue.drain()
        assert len(set(ids)) == 1
        assert outbox.recipients == [ADA["email"], "team@example.com"]

    async def test_many_messages_of_a_mailbox_are_one_confirmation(
        self, live_client: httpx.AsyncClient, live_runtime: Runtime
    ) -> None:
        outbox = keep_mail(live_runtime)
        bodies = [filled_form(live_runtime, email=f"a.d.a+{number}@example.com") for number in range(30)]
        ids = await asyncio.gather(*(send(live_client, body) for body in bodies))
        await live_runtime.queue.drain()
        assert len(set(ids)) == 30
        assert len([to for to in outbox.recipients if to != "team@example.com"]) == 1
        assert outbox.recipients.count("team@example.com") == 30
