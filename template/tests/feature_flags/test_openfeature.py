"""The adapters for OpenFeature: this application's flags as a provider, and other providers in their place."""

import asyncio
from collections.abc import Iterator
from typing import Any, override
from uuid import UUID

import pytest
from openfeature import api
from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import ErrorCode
from openfeature.flag_evaluation import FlagResolutionDetails
from openfeature.provider import FeatureProvider
from openfeature.provider.in_memory_provider import InMemoryFlag, InMemoryProvider

from app.core.runtime import Runtime
from app.feature_flags import openfeature
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.openfeature import OpenFeatureFlags
from tests.feature_flags.conftest import PlansByUser, create_flag

ALL: dict[str, Any] = {"everyone": True}


def client_of(provider: FeatureProvider) -> OpenFeatureClient:
    """Return a client of the provider."""
    api.set_provider_and_wait(provider, "tests")
    return api.get_client("tests")


@pytest.fixture(autouse=True)
def no_providers() -> Iterator[None]:
    """Forget the providers, which belong to the process."""
    yield
    api.shutdown()


class TestProvider:
    @pytest.fixture
    def client(self, flags: FeatureFlags) -> OpenFeatureClient:
        return client_of(flags.openfeature_provider())

    async def test_serves_the_flags_of_a_user(
        self, runtime: Runtime, client: OpenFeatureClient, user_id: UUID, plans: PlansByUser
    ) -> None:
        plans.by_user[user_id] = "pro"
        await create_flag(runtime, "editor", {"plans": ["pro"]})
        contexts = [None, EvaluationContext(), EvaluationContext(str(user_id)), EvaluationContext(str(UUID(int=1)))]

        found = [
            await client.get_boolean_value_async("editor", default_value=True, evaluation_context=each)
            for each in contexts
        ]

        assert found == [False, False, True, False]

    @pytest.mark.parametrize(
        ("rule", "enabled", "reason"),
        [(ALL, True, "TARGETING_MATCH"), (ALL, False, "DISABLED"), ({"percentage": 0}, True, "DEFAULT")],
        ids=["match", "disabled", "no match"],
    )
    async def test_states_the_reason(
        self, *, runtime: Runtime, client: OpenFeatureClient, rule: dict[str, Any], enabled: bool, reason: str
    ) -> None:
        await create_flag(runtime, "editor", rule, enabled=enabled)

        assert (await client.get_boolean_details_async("editor", default_value=False)).reason == reason

    async def test_unknown_flags_and_users_have_the_default(self, runtime: Runtime, client: OpenFeatureClient) -> None:
        await create_flag(runtime, "editor", ALL)
        nameless = EvaluationContext("somebody")

        found = [
            await client.get_boolean_details_async(key, default_value=True, evaluation_context=context)
            for key, context in (("none", None), ("editor", nameless))
        ]

        assert [(each.value, each.error_code) for each in found] == [
            (True, ErrorCode.FLAG_NOT_FOUND),
            (True, ErrorCode.INVALID_CONTEXT),
        ]

    async def test_has_neither_other_types_nor_blocking_calls(
        self, runtime: Runtime, client: OpenFeatureClient
    ) -> None:
        await create_flag(runtime, "editor", ALL)
        found = [
            client.get_boolean_details("editor", default_value=False),
            await client.get_string_details_async("editor", "blue"),
            await client.get_integer_details_async("editor", 1),
            await client.get_float_details_async("editor", 0.5),
            await client.get_object_details_async("editor", {}),
        ]

        assert [each.value for each in found] == [False, "blue", 1, 0.5, {}]
        assert [each.error_code for each in found] == [ErrorCode.GENERAL, *[ErrorCode.TYPE_MISMATCH] * 4]


def for_plan(flag: InMemoryFlag[bool], context: EvaluationContext) -> FlagResolutionDetails[bool]:
    """Evaluate a flag of another provider: it is on for users with the plan `pro`."""
    return FlagResolutionDetails(flag.variants["on" if context.attributes.get("plan") == "pro" else "off"])


class SilentProvider(InMemoryProvider):
    """A provider that never answers."""

    @override
    async def resolve_boolean_details_async(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """Wait for ever."""
        await asyncio.Event().wait()
        return FlagResolutionDetails(default_value)


class TestOtherProvider:
    async def test_answers_in_place_of_the_flags(
        self, runtime: Runtime, flags: FeatureFlags, user_id: UUID, plans: PlansByUser
    ) -> None:
        plans.by_user[user_id] = "pro"
        await create_flag(runtime, "editor", ALL, enabled=False)
        variants = {"on": True, "off": False}
        elsewhere = {
            "editor": InMemoryFlag("off", variants, context_evaluator=for_plan),
            "search": InMemoryFlag("on", variants),
        }

        with flags.replaced_by_openfeature(client_of(InMemoryProvider(elsewhere))):
            found = [await runtime.flags.enabled(key, user_id) for key in ("editor", "search", "none")]
            found.append(await runtime.flags.enabled("editor", None))
            keys = await flags.enabled_keys(user_id)

        assert found == [True, True, False, False]
        assert keys == ["editor"]
        assert not await runtime.flags.enabled("editor", user_id)

    async def test_that_does_not_answer_turns_the_flag_off(
        self, flags: FeatureFlags, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(openfeature, "PROVIDER_TIMEOUT", 0.01)

        assert not await OpenFeatureFlags(client_of(SilentProvider({})), flags.plan_of).enabled("editor", None)

    async def test_does_not_hide_the_cancellation_of_a_request(self, flags: FeatureFlags) -> None:
        source = OpenFeatureFlags(client_of(SilentProvider({})), flags.plan_of)
        request = asyncio.create_task(source.enabled("editor", None))
        await asyncio.sleep(0)
        request.cancel()

        with pytest.raises(asyncio.CancelledError):
            await request
