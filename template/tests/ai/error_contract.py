"""The contract of all providers for errors: which are raised, and which are retried."""

import httpx
import pytest
from structlog.testing import capture_logs

from app.ai.errors import (
    AIRateLimitedError,
    AIRefusedError,
    AIUnavailableError,
)
from app.ai.gateway import LLMProvider
from app.ai.port import Completion
from app.core.errors import AppError
from tests.ai.conftest import ATTEMPTS
from tests.ai.conversation import CONVERSATION, failure_of, parts_of
from tests.ai.provider_tests import ProviderTests
from tests.ai.requests import events, question
from tests.fakes.llm import TEXTS, Fails, FakeLLM, Says, Sends


class ErrorContract(ProviderTests):
    """A provider raises the port's errors, and retries transient ones."""

    @pytest.mark.parametrize("stream", [False, True])
    async def test_retries_transient_errors(self, llm: LLMProvider, fake: FakeLLM, stream: bool) -> None:  # noqa: FBT001
        fake.will(Fails(kind="overloaded"), Fails(kind="rate_limited", retry_after=1), Says())
        last = (await parts_of(llm))[-1] if stream else await llm.complete(CONVERSATION)

        assert isinstance(last, Completion)
        assert last.text == "".join(TEXTS)
        assert len(fake.asked) == ATTEMPTS

    @pytest.mark.parametrize("stream", [False, True])
    async def test_gives_up_after_the_last_attempt(self, llm: LLMProvider, fake: FakeLLM, stream: bool) -> None:  # noqa: FBT001
        fake.will(Fails(kind="overloaded"))
        assert isinstance(await failure_of(llm, stream=stream), AIUnavailableError)
        assert len(fake.asked) == ATTEMPTS

    @pytest.mark.parametrize("kind", ["overloaded", "rate_limited"])
    async def test_does_not_wait_for_a_long_retry_after(self, llm: LLMProvider, fake: FakeLLM, kind: str) -> None:
        fake.will(Fails(kind=kind, retry_after=6))
        error = await failure_of(llm, stream=False)

        assert error.headers == {"Retry-After": "6"}
        assert len(fake.asked) == 1

    async def test_reports_a_rate_limit(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(Fails(kind="rate_limited", retry_after=7))
        error = await failure_of(llm, stream=True)

        assert isinstance(error, AIRateLimitedError)
        assert error.headers == {"Retry-After": "7"}

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        ("kind", "expected"),
        [
            ("spent", AIUnavailableError),
            ("key", AIUnavailableError),
            ("no_model", AIUnavailableError),
            ("invalid", AIRefusedError),
        ],
    )
    async def test_does_not_retry_permanent_errors(
        self,
        llm: LLMProvider,
        fake: FakeLLM,
        kind: str,
        expected: type[AppError],
        stream: bool,  # noqa: FBT001
    ) -> None:
        fake.will(Fails(kind=kind))

        assert isinstance(await failure_of(llm, stream=stream), expected)
        assert len(fake.asked) == 1

    @pytest.mark.parametrize("stream", [False, True])
    @pytest.mark.parametrize(
        "sent",
        [
            Sends(body=b"<html>Bad gateway</html>", status=502, content_type="text/html"),
            Sends(body=b"secret words"),
            Sends(body=b"{}"),
            Sends(body=b"data: secret words\n\n", content_type="text/event-stream"),
            Sends(body=b"data: \xff\n\n", content_type="text/event-stream"),
            Sends(body=b""),
        ],
    )
    async def test_recognises_unusable_responses(
        self,
        llm: LLMProvider,
        fake: FakeLLM,
        sent: Sends,
        stream: bool,  # noqa: FBT001
    ) -> None:
        fake.will(sent)

        assert isinstance(await failure_of(llm, stream=stream), AIUnavailableError)

    @pytest.mark.parametrize("stream", [False, True])
    async def test_names_an_unreadable_field_in_the_log(
        self,
        llm: LLMProvider,
        fake: FakeLLM,
        stream: bool,  # noqa: FBT001
    ) -> None:
        body, field = self.unreadable
        event = b"data: " + body + b"\n\n"
        fake.will(Sends(body=event, content_type="text/event-stream") if stream else Sends(body=body))
        with capture_logs() as logs, pytest.raises(AIUnavailableError):
            await (parts_of(llm) if stream else llm.complete(CONVERSATION))

        (line,) = [log for log in logs if log["event"] == "ai_answer_broken"][:1]
        assert [name.partition(":")[0] for name in line["fields"]] == [field]
        assert "secret words" not in str(logs)

    @pytest.mark.parametrize("says", [Says(cut=True), Says(fails=True)])
    async def test_a_stream_that_breaks_off_is_an_error_and_not_retried(
        self, llm: LLMProvider, fake: FakeLLM, says: Says
    ) -> None:
        fake.will(says)
        parts = llm.stream_simple("Hello")

        assert [await anext(parts) for _ in TEXTS] == list(TEXTS)
        with pytest.raises(AIUnavailableError):
            await anext(parts)
        assert len(fake.asked) == 1

    async def test_is_not_called_while_it_is_down(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.will(Fails(kind="overloaded"))
        for stream in (False, True):
            await failure_of(llm, stream=stream)
        asked = len(fake.asked)
        fake.will(Says())

        assert isinstance(await failure_of(llm, stream=False), AIUnavailableError)
        assert isinstance(await failure_of(llm, stream=True), AIUnavailableError)
        assert len(fake.asked) == asked

    async def test_an_unreachable_server_is_unavailable(self, llm: LLMProvider, fake: FakeLLM) -> None:
        fake.stop()

        assert isinstance(await failure_of(llm, stream=False), AIUnavailableError)
        assert isinstance(await failure_of(llm, stream=True), AIUnavailableError)

    async def test_reports_errors_over_http(
        self, client: httpx.AsyncClient, asker: dict[str, str], fake: FakeLLM
    ) -> None:
        fake.will(Fails(kind="rate_limited", retry_after=7))
        before = await question(client, asker, stream=True)
        fake.will(Says(fails=True))
        amid = events(await question(client, asker, stream=True))

        assert (before.status_code, before.json()["error"]["code"]) == (503, "AI_RATE_LIMITED")
        assert before.headers["retry-after"] == "7"
        assert [name for name, _ in amid] == ["delta"] * len(TEXTS) + ["error"]
        assert amid[-1][1]["error"]["code"] == "AI_UNAVAILABLE"
        assert len(amid[-1][1]["error"]["request_id"]) > 8
