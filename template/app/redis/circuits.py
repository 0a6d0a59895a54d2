"""The state of circuit breakers, shared by all processes."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Final

from app.kit.resilience.circuit_store import Admission, CircuitPolicy, CircuitState, CircuitStore, Outcome
from app.redis.circuit_breaker import CircuitBreaker, RedisUnavailableError

PREFIX: Final = "circuit:"
EXPIRY: Final = timedelta(days=1)
"""The minimum time for which the state of a circuit without calls is kept."""

# Both scripts read one hash by Redis's own clock, in milliseconds: `failures`, `open_until`, `probe` (the id of the
# call), `probe_until`. A closed circuit without failures has no hash. Another program may have written the values:
# those that are no numbers, or out of range, are replaced.
_NUMBERS: Final = """
local function bounded(text, maximum)
    local value = tonumber(text)
    if not value or value ~= value or value < 0 then
        return nil
    end
    return math.min(math.floor(value), maximum)
end
"""
MAX_FAILURES: Final = 1_000_000
"""The number of consecutive failures at which counting stops."""

# If the clock has gone back, nothing takes longer than it does from now on.
# Returns 0 and the failures; 1 if the call is the probe; or 2 and the remaining milliseconds.
ADMIT: Final = f"""{_NUMBERS}
local kept = redis.call('HMGET', KEYS[1], 'failures', 'open_until', 'probe_until')
local open_until = bounded(kept[2], math.huge)
if not open_until then
    return {{0, bounded(kept[1], {MAX_FAILURES}) or 0}}
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
open_until = math.min(open_until, now + ARGV[2])
local probe_until = math.min(bounded(kept[3], math.huge) or 0, now + ARGV[3])
local blocked_until = math.max(open_until, probe_until)
if now < blocked_until then
    redis.call('HSET', KEYS[1], 'open_until', open_until, 'probe_until', probe_until)
    return {{2, blocked_until - now}}
end
redis.call('HSET', KEYS[1], 'probe', ARGV[1], 'probe_until', now + ARGV[3])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return {{1, 0}}
"""

# Returns 0 if the state has not changed, 1 if the circuit is open now, 2 if it is closed now.
RECORD: Final = f"""{_NUMBERS}
local kept = redis.call('HMGET', KEYS[1], 'failures', 'open_until', 'probe')
local is_probe = kept[3] == ARGV[1]
if bounded(kept[2], math.huge) and not is_probe then
    return 0
end
if ARGV[2] == 'abandoned' then
    redis.call('HDEL', KEYS[1], 'probe', 'probe_until')
    return 0
end
if ARGV[2] == 'success' then
    redis.call('DEL', KEYS[1])
    return is_probe and 2 or 0
end
local failures = math.min((bounded(kept[1], {MAX_FAILURES}) or 0) + 1, {MAX_FAILURES})
redis.call('HSET', KEYS[1], 'failures', failures)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
if not is_probe and failures < tonumber(ARGV[3]) then
    return 0
end
local time = redis.call('TIME')
redis.call('HSET', KEYS[1], 'open_until', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[4])
redis.call('HDEL', KEYS[1], 'probe', 'probe_until')
return 1
"""

_CHANGES: Final = (None, CircuitState.OPEN, CircuitState.CLOSED)


class RedisCircuits:
    """See `CircuitStore`. While Redis is unavailable, `fallback` keeps the state in its place."""

    def __init__(self, breaker: CircuitBreaker, fallback: CircuitStore) -> None:
        self._breaker = breaker
        self._fallback = fallback
        self._admit: Callable[[list[str], list[str | int]], Awaitable[tuple[int, int]]] = (
            breaker.client.register_script(ADMIT)
        )
        self._record: Callable[[list[str], list[str | int]], Awaitable[int]] = breaker.client.register_script(RECORD)

    async def admit(self, policy: CircuitPolicy, call_id: str) -> Admission:
        """See `CircuitStore.admit`."""
        recovery, expiry = _milliseconds(policy.recovery), _expiry(policy)
        arguments: list[str | int] = [call_id, recovery, _milliseconds(policy.probe_timeout), expiry]
        try:
            state, number = await self._breaker.call(lambda: self._admit([PREFIX + policy.name], arguments))
        except RedisUnavailableError:
            return await self._fallback.admit(policy, call_id)
        match state:
            case 0:
                return Admission(CircuitState.CLOSED, number)
            case 1:
                return Admission(CircuitState.HALF_OPEN)
            case _:
                return Admission(CircuitState.OPEN, retry_after=timedelta(milliseconds=number))

    async def record(self, policy: CircuitPolicy, call_id: str, outcome: Outcome) -> CircuitState | None:
        """See `CircuitStore.record`."""
        arguments: list[str | int] = [
            call_id,
            outcome.value,
            policy.threshold,
            _milliseconds(policy.recovery),
            _expiry(policy),
        ]
        try:
            return _CHANGES[await self._breaker.call(lambda: self._record([PREFIX + policy.name], arguments))]
        except RedisUnavailableError:
            return await self._fallback.record(policy, call_id, outcome)


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)


def _expiry(policy: CircuitPolicy) -> int:
    return _milliseconds(EXPIRY + policy.recovery + policy.probe_timeout)
