"""The evaluation of flags: the provider of the port `app.core.ports.flags`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from app.core.db.models import utc_now
from app.core.ports.flags import Flags, FlagUser
from app.core.runtime import Runtime
from app.feature_flags.rules import FlagRule, in_percentage
from app.feature_flags.snapshot import Flag, Snapshot, load_lists_of
from app.feature_flags.store import FlagStore
from app.feature_flags.user_lookup import UserLookup

if TYPE_CHECKING:
    from openfeature.client import OpenFeatureClient
    from openfeature.provider import FeatureProvider

logger = structlog.stdlib.get_logger(__name__)

PLAN_LIFETIME: Final = 5.0
"""Seconds after which a process notices that a user's plan has changed."""
LIST_LIFETIME: Final = 300.0
"""Seconds for which a process remembers a user's lists. A change of flags ends it at once."""
MAX_UNKNOWN_KEYS: Final = 1000
"""Unknown keys that are logged."""


class Reason(StrEnum):
    """The reason for the result of an evaluation."""

    UNKNOWN = "unknown"
    DISABLED = "disabled"
    NOT_STARTED = "not_started"
    ENDED = "ended"
    MATCH = "match"
    """A rule matches the user."""
    NO_MATCH = "no_match"


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The result of an evaluation.

    Attributes:
        rule: the position of the first matching rule, from 0.
    """

    enabled: bool
    reason: Reason
    rule: int | None = None


class FeatureFlags:
    """The flags of this application. See `Flags`.

    Args:
        runtime: the running application.
        store: the flags.
        clock: the current time.
    """

    def __init__(self, runtime: Runtime, store: FlagStore, clock: Callable[[], datetime] = utc_now) -> None:
        self.store = store
        self.runtime = runtime
        self._clock = clock
        self._source: Flags | None = None
        self._unknown: set[str] = set()
        self._plans: UserLookup[str | None] = UserLookup("plan", self._load_plan, default=None, lifetime=PLAN_LIFETIME)
        self._lists: UserLookup[frozenset[UUID]] = UserLookup(
            "lists", self._load_lists, default=frozenset(), lifetime=LIST_LIFETIME
        )

    async def enabled(self, key: str, user: FlagUser | UUID | None) -> bool:
        """See `Flags.enabled`."""
        if self._source is not None:
            return await self._source.enabled(key, user)
        return (await self.evaluate(key, user)).enabled

    async def evaluate(self, key: str, user: FlagUser | UUID | None) -> Evaluation:
        """Return whether a flag is on for a user, and why."""
        snapshot = await self.store.snapshot()
        flag = snapshot.flags.get(key)
        if flag is None:
            self._log_unknown(key)
            return Evaluation(enabled=False, reason=Reason.UNKNOWN)
        return await self._evaluate(snapshot, flag, id_of(user))

    async def enabled_keys(self, user: FlagUser | UUID | None) -> list[str]:
        """Return the keys of all flags that are on for a user, sorted."""
        keys = sorted((await self.store.snapshot()).flags)
        return [key for key in keys if await self.enabled(key, user)]

    async def plan_of(self, user_id: UUID) -> str | None:
        """Return a user's plan, at most five seconds old if the database answers; `None` if it was never loaded."""
        return await self._plans.get(user_id)

    @contextmanager
    def replaced_by(self, source: Flags) -> Iterator[None]:
        """Let another source decide which flags are on until the end of the block.

        Use: `with runtime.resource(FeatureFlags).replaced_by(source): yield` in the lifespan of your own module.
        """
        before, self._source = self._source, source
        try:
            yield
        finally:
            self._source = before

    def replaced_by_openfeature(self, client: "OpenFeatureClient") -> AbstractContextManager[None]:
        """Let an OpenFeature client decide, with a provider such as LaunchDarkly's or flagd's. See `replaced_by`.

        The provider receives the user's id as the targeting key, and the plan as the attribute `plan`.
        """
        # Imported on demand, since few applications need it.
        from app.feature_flags.openfeature import OpenFeatureFlags  # noqa: PLC0415

        return self.replaced_by(OpenFeatureFlags(client, self.plan_of))

    def openfeature_provider(self) -> "FeatureProvider":
        """Return these flags as a provider for OpenFeature's client. See `FeatureFlagProvider`."""
        from app.feature_flags.openfeature import FeatureFlagProvider  # noqa: PLC0415 - as above

        return FeatureFlagProvider(self)

    async def close(self) -> None:
        """Finish announcements, and stop loading."""
        await self.store.close()
        await self._plans.close()
        await self._lists.close()

    async def _evaluate(self, snapshot: Snapshot, flag: Flag, user_id: UUID | None) -> Evaluation:
        if not flag.enabled:
            return Evaluation(enabled=False, reason=Reason.DISABLED)
        if flag.starts_at is not None or flag.ends_at is not None:
            now = self._clock()
            if flag.starts_at is not None and now < flag.starts_at:
                return Evaluation(enabled=False, reason=Reason.NOT_STARTED)
            if flag.ends_at is not None and now >= flag.ends_at:
                return Evaluation(enabled=False, reason=Reason.ENDED)
        for number, rule in enumerate(flag.rules):
            if rule.everyone or (user_id is not None and await self._matches(snapshot, flag, rule, user_id)):
                return Evaluation(enabled=True, reason=Reason.MATCH, rule=number)
        return Evaluation(enabled=False, reason=Reason.NO_MATCH)

    async def _matches(self, snapshot: Snapshot, flag: Flag, rule: FlagRule, user_id: UUID) -> bool:
        # The cheapest condition first.
        if rule.percentage is not None and not in_percentage(flag.key, user_id, rule.percentage):
            return False
        if rule.listed and flag.id not in await self._lists_of(snapshot, user_id):
            return False
        return not rule.plans or await self.plan_of(user_id) in rule.plans

    async def _lists_of(self, snapshot: Snapshot, user_id: UUID) -> frozenset[UUID]:
        if snapshot.lists is not None:
            return snapshot.lists.get(user_id, frozenset())
        return await self._lists.get(user_id, snapshot.revision)

    async def _load_lists(self, user_id: UUID) -> frozenset[UUID]:
        return await load_lists_of(self.runtime.database, user_id)

    async def _load_plan(self, user_id: UUID) -> str | None:
        async with self.runtime.database.reading() as session:
            return await self.runtime.plans.plan_of(session, user_id)

    def _log_unknown(self, key: str) -> None:
        if key not in self._unknown and len(self._unknown) < MAX_UNKNOWN_KEYS:
            self._unknown.add(key)
            logger.warning("feature_flag_unknown", key=key[:200], hint="Create the flag, or remove it from the code.")


def id_of(user: FlagUser | UUID | None) -> UUID | None:
    """Return the user's id."""
    return user if user is None or isinstance(user, UUID) else user.id
