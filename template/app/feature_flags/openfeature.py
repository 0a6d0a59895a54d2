"""Adapters for OpenFeature (https://openfeature.dev), for code that uses its client, and for other providers of flags.

- `FeatureFlagProvider` serves this application's flags to OpenFeature's client.
- `OpenFeatureFlags` lets a provider of OpenFeature, such as LaunchDarkly's or flagd's, answer `runtime.flags`.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Never, override
from uuid import UUID

from openfeature.client import OpenFeatureClient
from openfeature.evaluation_context import EvaluationContext
from openfeature.exception import FlagNotFoundError, GeneralError, InvalidContextError, TypeMismatchError
from openfeature.flag_evaluation import FlagResolutionDetails, FlagValueType
from openfeature.flag_evaluation import Reason as OpenFeatureReason
from openfeature.provider import AbstractProvider, Metadata

from app.core.ports.flags import FlagUser
from app.feature_flags.evaluation import FeatureFlags, Reason, id_of

PROVIDER_TIMEOUT: Final = 1.0
"""Seconds that another provider may take. After that, the flag is off."""

_REASONS: Final[Mapping[Reason, OpenFeatureReason]] = {
    Reason.DISABLED: OpenFeatureReason.DISABLED,
    Reason.NOT_STARTED: OpenFeatureReason.DISABLED,
    Reason.ENDED: OpenFeatureReason.DISABLED,
    Reason.MATCH: OpenFeatureReason.TARGETING_MATCH,
    Reason.NO_MATCH: OpenFeatureReason.DEFAULT,
}

type Objects = Sequence[FlagValueType] | Mapping[str, FlagValueType]


class OpenFeatureFlags:
    """Flags of an OpenFeature client. See `Flags`.

    The provider receives the user's id as the targeting key, and the attribute `plan`.

    Args:
        client: from `openfeature.api.get_client()`.
        plan_of: returns the plan of a user: `FeatureFlags.plan_of`.
    """

    def __init__(self, client: OpenFeatureClient, plan_of: Callable[[UUID], Awaitable[str | None]]) -> None:
        self._client = client
        self._plan_of = plan_of

    async def enabled(self, key: str, user: FlagUser | UUID | None) -> bool:
        """See `Flags.enabled`. Returns `False` if the provider fails or takes too long."""
        context = EvaluationContext()
        if (user_id := id_of(user)) is not None:
            plan = await self._plan_of(user_id)
            context = EvaluationContext(str(user_id), {} if plan is None else {"plan": plan})
        return await _within_timeout(
            self._client.get_boolean_value_async(key, default_value=False, evaluation_context=context)
        )


async def _within_timeout(evaluation: Coroutine[Any, Any, bool]) -> bool:
    # A task of its own: if the client (0.10) is cancelled, it raises UnboundLocalError, which would hide the
    # cancellation of the caller.
    task = asyncio.create_task(evaluation)
    try:
        await asyncio.wait({task}, timeout=PROVIDER_TIMEOUT)
    finally:
        if not task.done():
            task.add_done_callback(_ignore_result)
            task.cancel()
    return task.done() and task.exception() is None and task.result()


def _ignore_result(task: asyncio.Task[bool]) -> None:
    if not task.cancelled():
        task.exception()


class FeatureFlagProvider(AbstractProvider):
    """A provider of OpenFeature with this application's flags, which are boolean.

    The targeting key is a user's id; without one, the visitor is anonymous. Plans come from the application, so
    attributes are ignored. Use the client's coroutines, such as `get_boolean_value_async`: an evaluation may have to
    look up the user.
    """

    def __init__(self, flags: FeatureFlags) -> None:
        super().__init__()
        self._flags = flags

    @override
    def get_metadata(self) -> Metadata:
        """See `FeatureProvider`."""
        return Metadata(name="app")

    @override
    async def resolve_boolean_details_async(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """See `FeatureProvider`.

        Raises:
            FlagNotFoundError: no flag has the key. The client returns the default value.
            InvalidContextError: the targeting key is not a user's id. The client returns the default value.
        """
        evaluation = await self._flags.evaluate(flag_key, _user_of(evaluation_context))
        if evaluation.reason is Reason.UNKNOWN:
            raise FlagNotFoundError
        return FlagResolutionDetails(evaluation.enabled, reason=_REASONS[evaluation.reason])

    @override
    def resolve_boolean_details(
        self, flag_key: str, default_value: bool, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[bool]:
        """See `FeatureProvider`.

        Raises:
            GeneralError: always.
        """
        raise GeneralError("Use the client's coroutines, such as get_boolean_value_async.")

    @override
    def resolve_string_details(
        self, flag_key: str, default_value: str, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[str]:
        """Raise `TypeMismatchError`."""
        _refuse_type()

    @override
    def resolve_integer_details(
        self, flag_key: str, default_value: int, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[int]:
        """Raise `TypeMismatchError`."""
        _refuse_type()

    @override
    def resolve_float_details(
        self, flag_key: str, default_value: float, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[float]:
        """Raise `TypeMismatchError`."""
        _refuse_type()

    @override
    def resolve_object_details(
        self, flag_key: str, default_value: Objects, evaluation_context: EvaluationContext | None = None
    ) -> FlagResolutionDetails[Objects]:
        """Raise `TypeMismatchError`."""
        _refuse_type()


def _user_of(context: EvaluationContext | None) -> UUID | None:
    if context is None or not context.targeting_key:
        return None
    try:
        return UUID(context.targeting_key)
    except ValueError:
        raise InvalidContextError("The targeting key must be a user's id.") from None


def _refuse_type() -> Never:
    raise TypeMismatchError("All flags are boolean.")
