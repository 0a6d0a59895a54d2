"""The routes for users."""

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from app.ai.module import module
from app.ai.providers import console
from app.ai.settings import AISettings
from app.core.lifecycle import running
from app.core.ports.operations import AICall
from app.core.runtime import Runtime
from app.main import create_app
from app.modules import MODULES
from tests.ai.cases import CASES
from tests.ai.requests import AI, chat, code, events, question
from tests.conftest import SignIn, make_client, make_runtime
from tests.core.metered import Metered
from tests.core.telemetry import Recorder
from tests.fakes.llm import KEY, TEXTS, Fails, FakeLLM, Says

PATHS = ["completions", "chat", "chat/routed"]


async def ask(client: httpx.AsyncClient, headers: dict[str, str], path: str, **body: object) -> httpx.Response:
    """Send a request to any of the routes."""
    return await (question if path == "completions" else chat)(client, headers, path=path, **body)


@pytest.mark.usefixtures("fakes")
class TestAsking:
    @pytest.mark.parametrize("path", PATHS)
    async def test_whole_and_as_a_stream(self, client: httpx.AsyncClient, asker: dict[str, str], path: str) -> None:
        whole = await ask(client, asker, path)
        streamed = events(await ask(client, asker, path, stream=True))

        assert whole.status_code == 200, whole.text
        assert whole.json()["text"] == "".join(TEXTS)
        assert whole.json()["usage"]["total_tokens"] == 40
        assert whole.json()["cost"] > 0
        assert streamed == [*(("delta", {"text": text}) for text in TEXTS), ("usage", whole.json())]

    async def test_reports_every_call_to_telemetry(
        self, client: httpx.AsyncClient, asker: dict[str, str], runtime: Runtime
    ) -> None:
        recorder = Recorder()
        with runtime.listen(recorder):
            whole = await ask(client, asker, "chat")
            await ask(client, asker, "chat", stream=True)

        calls = recorder.of(AICall)
        assert [call.streamed for call in calls] == [False, True]
        answer = whole.json()
        for call in calls:
            assert (call.provider, call.model) == (answer["provider"], answer["model"])
            assert (call.input_tokens or 0) + (call.output_tokens or 0) == 40
            assert call.cost == pytest.approx(answer["cost"])
            assert call.error is None

    @pytest.mark.parametrize("path", PATHS)
    async def test_requires_authentication(self, client: httpx.AsyncClient, path: str, fake: FakeLLM) -> None:
        assert (await ask(client, {}, path)).status_code == 401
        assert fake.asked == []

    async def test_passes_on_system_messages(
        self, client: httpx.AsyncClient, asker: dict[str, str], fake: FakeLLM
    ) -> None:
        await question(client, asker, system="Be brief.", max_tokens=5)
        await chat(
            client, asker, messages=[{"role": "system", "content": "Be kind."}, {"role": "user", "content": "?"}]
        )

        assert [(asked.system, asked.max_tokens) for asked in fake.asked] == [("Be brief.", 5), ("Be kind.", 8192)]

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
    async def test_calls_the_requested_provider(
        self, client: httpx.AsyncClient, asker: dict[str, str], fakes: dict[str, FakeLLM], case: object
    ) -> None:
        name = getattr(case, "name", "")
        by_provider = await question(client, asker, provider=name)
        by_model = await question(client, asker, model=by_provider.json()["model"])

        assert by_provider.json() == by_model.json()
        assert by_provider.json()["provider"] == name
        assert len(fakes[name].asked) == 2

    @pytest.mark.parametrize(
        "messages",
        [
            [],
            [{"role": "assistant", "content": "Hi"}],
            [{"role": "user", "content": "Hi"}, {"role": "system", "content": "x"}, {"role": "user", "content": "Hi"}],
            [{"role": "user", "content": ""}],
            [{"role": "robot", "content": "Hi"}],
            [{"role": "user", "content": "Hi", "name": "x"}],
            [{"role": "system", "content": "Hi"}],
        ],
    )
    async def test_an_invalid_conversation_is_refused(
        self, client: httpx.AsyncClient, asker: dict[str, str], fake: FakeLLM, messages: object
    ) -> None:
        for path in ("chat", "chat/routed"):
            assert code(await chat(client, asker, path=path, messages=messages)) == (422, "VALIDATION_ERROR")
        assert fake.asked == []

    async def test_unknown_values_are_refused(self, client: httpx.AsyncClient, asker: dict[str, str]) -> None:
        assert code(await question(client, asker, model="another")) == (422, "AI_MODEL_NOT_ALLOWED")
        assert code(await question(client, asker, provider="another")) == (422, "AI_UNKNOWN_PROVIDER")
        assert code(await question(client, asker, max_tokens=8193)) == (422, "AI_TOO_MANY_TOKENS")
        assert code(await question(client, asker, max_tokens=0)) == (422, "VALIDATION_ERROR")
        assert code(await question(client, asker, prompt="x" * 100_001)) == (413, "AI_PROMPT_TOO_LARGE")
        assert code(await chat(client, asker, path="chat/routed", max_tokens=8193)) == (422, "AI_TOO_MANY_TOKENS")
        assert code(await chat(client, asker, path="chat/routed", complexity="hard")) == (422, "VALIDATION_ERROR")
        assert code(await question(client, asker, temperature=1)) == (422, "VALIDATION_ERROR")

    async def test_an_error_before_the_first_piece_is_an_ordinary_response(
        self, client: httpx.AsyncClient, asker: dict[str, str], fakes: dict[str, FakeLLM]
    ) -> None:
        for fake in fakes.values():
            fake.will(Fails(kind="overloaded"))
        for path in PATHS:
            assert code(await ask(client, asker, path, stream=True)) == (503, "AI_UNAVAILABLE")

    async def test_does_not_log_prompts_responses_or_keys(
        self, client: httpx.AsyncClient, asker: dict[str, str], capsys: pytest.CaptureFixture[str], fake: FakeLLM
    ) -> None:
        with capture_logs() as logs:
            await question(client, asker, prompt="a dark secret", system="another one")
            fake.will(Says(fails=True))
            await question(client, asker, prompt="a dark secret", stream=True)
        told = f"{logs}{capsys.readouterr()}"

        assert "ai_answered" in told
        for word in ("dark secret", "another one", TEXTS[0], KEY):
            assert word not in told


@pytest.mark.usefixtures("fakes")
class TestLimits:
    async def test_all_routes_share_one_rate_limit_per_user(
        self, client: httpx.AsyncClient, asker: dict[str, str], sign_in: SignIn
    ) -> None:
        for count in range(10):
            assert (await ask(client, asker, PATHS[count % 3])).status_code == 200
        for path in PATHS:
            assert code(await ask(client, asker, path)) == (429, "RATE_LIMITED")

        assert (await client.get(f"{AI}/status", headers=asker)).status_code == 200
        assert (await question(client, await sign_in(email="other@example.com"))).status_code == 200

    @pytest.mark.parametrize("path", PATHS)
    async def test_the_plan_counts(
        self,
        client: httpx.AsyncClient,
        asker: dict[str, str],
        runtime: Runtime,
        path: str,
        fakes: dict[str, FakeLLM],
    ) -> None:
        plan = runtime.plans = Metered("ai_requests", left=2)
        assert (await ask(client, asker, path)).status_code == 200
        assert (await ask(client, asker, path, stream=True)).status_code == 200
        asked = sum(len(fake.asked) for fake in fakes.values())
        refused = await ask(client, asker, path)

        assert code(refused) == (402, "QUOTA_EXCEEDED")
        assert refused.json()["error"]["details"]["resource"] == "ai_requests"
        assert plan.left == 0
        assert sum(len(fake.asked) for fake in fakes.values()) == asked == 2

    @pytest.mark.parametrize("stream", [False, True])
    async def test_failed_requests_are_not_counted(
        self,
        client: httpx.AsyncClient,
        asker: dict[str, str],
        runtime: Runtime,
        fake: FakeLLM,
        stream: bool,  # noqa: FBT001
    ) -> None:
        plan = runtime.plans = Metered("ai_requests", left=1)
        fake.will(Fails(kind="invalid"))

        assert code(await question(client, asker, stream=stream)) == (422, "AI_REQUEST_REFUSED")
        assert code(await question(client, asker, model="another")) == (422, "AI_MODEL_NOT_ALLOWED")
        assert plan.left == 1


class TestStatus:
    @pytest.mark.usefixtures("fakes")
    async def test_lists_the_available_models(
        self, client: httpx.AsyncClient, asker: dict[str, str], runtime: Runtime
    ) -> None:
        status = (await client.get(f"{AI}/status", headers=asker)).json()

        assert [each["name"] for each in status["providers"]] == [*(case.name for case in CASES), console.NAME]
        assert all(each["configured"] for each in status["providers"])
        assert status["default_provider"] == CASES[0].name
        assert status["default_model"] == status["providers"][0]["models"][0]
        assert set(status["tiers"]) == {"simple", "moderate", "complex", "search"}
        assert all(status["tiers"].values())
        assert status["limits"] == {
            "max_tokens": 8192,
            "max_prompt_length": 100_000,
            "max_concurrent_answers": 5,
            "rate": "10/minute",
        }
        assert KEY not in str(status)
        assert CASES[0].name == runtime.resource(AISettings).AI_DEFAULT_PROVIDER

    async def test_names_the_missing_keys(self, client: httpx.AsyncClient, asker: dict[str, str]) -> None:
        status = (await client.get(f"{AI}/status", headers=asker)).json()

        assert [(each["configured"], each["setting"]) for each in status["providers"]] == [
            *((False, case.key) for case in CASES),
            (True, None),
        ]
        for ask_it in (question, chat):
            for stream in (False, True):
                answer = await ask_it(client, asker, provider=CASES[0].name, stream=stream)
                assert code(answer) == (503, "AI_NOT_CONFIGURED")
                assert CASES[0].key in answer.json()["error"]["message"]

    @pytest.mark.parametrize("path", PATHS)
    async def test_without_any_key_the_response_is_labelled(
        self, client: httpx.AsyncClient, asker: dict[str, str], path: str
    ) -> None:
        whole = (await ask(client, asker, path)).json()
        *deltas, last = events(await ask(client, asker, path, stream=True))
        short = (await ask(client, asker, path, max_tokens=3)).json()

        assert (whole["provider"], whole["text"], whole["cost"]) == (console.NAME, console.ANSWER, 0)
        assert whole["text"].startswith("[Canned answer")
        assert len(deltas) > 10
        assert "".join(data["text"] for _, data in deltas) == whole["text"]
        assert last == ("usage", whole)
        assert (short["text"], short["finish"]) == ("[Canned answer from", "length")

    async def test_requires_authentication(self, client: httpx.AsyncClient) -> None:
        assert (await client.get(f"{AI}/status")).status_code == 401


class TestAllowedModels:
    @pytest.fixture
    async def allowing_client(
        self,
        fakes: dict[str, FakeLLM],
        runtime: Runtime,
        monkeypatch: pytest.MonkeyPatch,
    ) -> AsyncIterator[httpx.AsyncClient]:
        """A client of an application that allows only a model that isn't in the table."""
        assert fakes
        monkeypatch.setenv("AI_ALLOWED_MODELS", '["my-own"]')
        async with running(make_runtime(runtime.database), background=False) as made:
            application: FastAPI = create_app(MODULES, runtime=made)
            async with make_client(application) as opened:
                yield opened

    async def test_only_allowed_models_are_called(
        self, allowing_client: httpx.AsyncClient, asker: dict[str, str], fake: FakeLLM
    ) -> None:
        assert (await question(allowing_client, asker)).json()["model"] == "my-own"
        assert (await question(allowing_client, asker, model="my-own")).json()["cost"] is None
        routed = await chat(allowing_client, asker, path="chat/routed", complexity="complex")
        assert routed.json()["model"] == "my-own"
        assert {asked.model for asked in fake.asked} == {"my-own"}

    async def test_all_other_models_are_refused(
        self, allowing_client: httpx.AsyncClient, asker: dict[str, str]
    ) -> None:
        status = (await allowing_client.get(f"{AI}/status", headers=asker)).json()
        assert [each["models"] for each in status["providers"]] == [["my-own"], *([[]] * (len(CASES) - 1)), ["console"]]
        for case in CASES[1:]:
            refused = await question(allowing_client, asker, provider=case.name)
            assert code(refused) == (422, "AI_MODEL_NOT_ALLOWED")
        refused = await question(allowing_client, asker, model="another")
        assert refused.json()["error"]["details"] == {"allowed": ["my-own"]}


def test_the_module_has_no_tables() -> None:
    assert module.models == ()
