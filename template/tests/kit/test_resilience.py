"""Calls to other systems."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.kit.external_calls import CallFinished, observe_calls
from app.kit.resilience import Resilient, UnavailableError, named_pause

SOON = timedelta(milliseconds=1)


class System:
    """Another system, which fails as it is told to: one entry a call, the last one for all that follow."""

    def __init__(self, *outcomes: Exception | str) -> None:
        self.calls = 0
        self._outcomes = outcomes

    async def __call__(self) -> str:
        outcome = self._outcomes[min(self.calls, len(self._outcomes) - 1)]
        self.calls += 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome


class Hanging:
    """A system that takes a call and never answers."""

    def __init__(self) -> None:
        self.calls = 0
        self.called = asyncio.Event()

    async def __call__(self) -> None:
        self.calls += 1
        self.called.set()
        await asyncio.Event().wait()


def connection_errors(error: Exception) -> bool:
    return isinstance(error, ConnectionError)


def resilient(
    *,
    transient: Callable[[Exception], bool] = connection_errors,
    attempts: int = 3,
    threshold: int = 100,
    recovery: timedelta = timedelta(hours=1),
    timeout: timedelta = timedelta(seconds=10),
    pause: Callable[[Exception], timedelta | None] = lambda _error: None,
) -> Resilient:
    return Resilient(
        "shop",
        transient=transient,
        pause=pause,
        timeout=timeout,
        attempts=attempts,
        threshold=threshold,
        recovery=recovery,
        first_pause=SOON,
        longest_pause=SOON,
    )


class TestAgain:
    async def test_an_answer_is_given_back(self) -> None:
        assert await resilient().call(System("well")) == "well"

    async def test_what_passes_is_tried_again(self) -> None:
        system = System(ConnectionError(), ConnectionError(), "well")

        assert await resilient().call(system) == "well"
        assert system.calls == 3

    async def test_another_try_is_logged_without_what_was_sent(self, capsys: pytest.CaptureFixture[str]) -> None:
        await resilient().call(System(ConnectionError("https://shop.example.com/users/ada?key=secret"), "well"))

        said = capsys.readouterr()
        assert "call_retried" in said.out + said.err
        assert "ConnectionError" in said.out + said.err
        assert "secret" not in said.out + said.err

    async def test_the_last_attempts_error_is_raised(self) -> None:
        system = System(ConnectionResetError(), ConnectionResetError(), ConnectionRefusedError())

        with pytest.raises(ConnectionRefusedError):
            await resilient().call(system)
        assert system.calls == 3

    async def test_what_does_not_pass_is_not_tried_again(self) -> None:
        system = System(ValueError())

        with pytest.raises(ValueError):  # noqa: PT011 - the very one
            await resilient().call(system)
        assert system.calls == 1

    async def test_what_would_do_harm_is_not_repeated(self) -> None:
        system = System(ConnectionError())

        with pytest.raises(ConnectionError):
            await resilient().call(system, repeatable=False)
        assert system.calls == 1

    async def test_the_error_may_tell_whether_a_repetition_would_do_harm(self) -> None:
        system = System(ConnectionRefusedError(), ConnectionResetError(), "well")

        with pytest.raises(ConnectionResetError):
            await resilient().call(system, repeatable=lambda error: isinstance(error, ConnectionRefusedError))
        assert system.calls == 2

    async def test_what_does_not_pass_is_not_tried_again_however_harmless(self) -> None:
        system = System(ValueError())

        with pytest.raises(ValueError):  # noqa: PT011 - the very one
            await resilient().call(system, repeatable=lambda _error: True)
        assert system.calls == 1

    async def test_each_attempt_has_an_end(self) -> None:
        system = Hanging()

        with pytest.raises(TimeoutError):
            await resilient(timeout=SOON).call(system)
        assert system.calls == 3

    async def test_a_cancelled_call_is_not_tried_again(self) -> None:
        system = Hanging()
        task = asyncio.create_task(resilient().call(system))
        await system.called.wait()

        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert system.calls == 1


class TestNamedPause:
    """The system has said when it wants to be asked again."""

    async def test_is_waited_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        system = System(ConnectionError(), "well")

        assert await resilient(pause=lambda _error: timedelta(microseconds=750)).call(system) == "well"
        assert "pause=0.00075" in "".join(capsys.readouterr())

    async def test_that_is_too_long_ends_the_call(self) -> None:
        system = System(ConnectionError())

        with pytest.raises(ConnectionError):
            await resilient(pause=lambda _error: 2 * SOON).call(system)
        assert system.calls == 1

    async def test_of_nothing_is_another_try_at_once(self) -> None:
        assert await resilient(pause=lambda _error: timedelta()).call(System(ConnectionError(), "well")) == "well"

    async def test_makes_nothing_pass_that_does_not(self) -> None:
        system = System(ValueError())

        with pytest.raises(ValueError):  # noqa: PT011 - the very one
            await resilient(pause=lambda _error: timedelta()).call(system)
        assert system.calls == 1

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            (" 7 ", 7),
            ("86401", 86400),
            ("9" * 5000, 86400),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
            ("Wed, 21 Oct 9999 07:28:00 -0000", 86400),
        ],
    )
    def test_is_read_from_a_header(self, value: str, seconds: int) -> None:
        assert named_pause(value) == timedelta(seconds=seconds)

    @pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "²", "٣", "Wed, 99 Oct 2015", "1e3"])
    def test_is_none_where_the_header_makes_no_sense(self, value: str | None) -> None:
        assert named_pause(value) is None


class TestCircuit:
    async def test_a_system_that_is_down_is_left_alone(self) -> None:
        system = System(ConnectionError())
        shop = resilient(attempts=1, threshold=2)
        for _ in range(2):
            with pytest.raises(ConnectionError):
                await shop.call(system)

        with pytest.raises(UnavailableError, match="shop has failed repeatedly"):
            await shop.call(system)
        assert system.calls == 2

    async def test_an_open_circuit_is_not_tried_again(self) -> None:
        system = System(ConnectionError())
        shop = resilient(attempts=5, threshold=2)

        with pytest.raises(UnavailableError):
            await shop.call(system)
        assert system.calls == 2

    async def test_timeouts_open_it(self) -> None:
        shop = resilient(attempts=1, threshold=1, timeout=SOON)
        with pytest.raises(TimeoutError):
            await shop.call(Hanging())

        with pytest.raises(UnavailableError):
            await shop.call(System("well"))

    async def test_a_system_that_refuses_works(self) -> None:
        refused = System(ValueError())
        shop = resilient(attempts=1, threshold=1)
        for _ in range(3):
            with pytest.raises(ValueError):  # noqa: PT011 - the very one
                await shop.call(refused)

        assert await shop.call(System("well")) == "well"

    async def test_an_answer_in_between_starts_the_count_anew(self) -> None:
        shop = resilient(attempts=1, threshold=2)
        for outcome in (ConnectionError(), "well", ConnectionError(), "well"):
            system = System(outcome)
            if isinstance(outcome, str):
                assert await shop.call(system) == "well"
            else:
                with pytest.raises(ConnectionError):
                    await shop.call(system)

    async def test_it_closes_when_the_system_is_back(self) -> None:
        shop = resilient(attempts=1, threshold=1, recovery=timedelta())
        with pytest.raises(ConnectionError):
            await shop.call(System(ConnectionError()))

        assert await shop.call(System("well")) == "well"
        assert await shop.call(System("well")) == "well"

    async def test_it_opens_again_when_the_system_is_not(self) -> None:
        # Long enough that no busy machine takes as long between the last two calls.
        shop = resilient(attempts=1, threshold=3, recovery=timedelta(milliseconds=300))
        for _ in range(3):
            with pytest.raises(ConnectionError):
                await shop.call(System(ConnectionError()))
        still_down = System(ConnectionError())
        while not still_down.calls:
            with pytest.raises((ConnectionError, UnavailableError)):
                await shop.call(still_down)
            await asyncio.sleep(0.01)

        with pytest.raises(UnavailableError):
            await shop.call(System("well"))

    async def test_a_cancelled_call_counts_neither_way(self) -> None:
        shop = resilient(attempts=1, threshold=2)
        with pytest.raises(ConnectionError):
            await shop.call(System(ConnectionError()))
        hanging = Hanging()
        task = asyncio.create_task(shop.call(hanging))
        await hanging.called.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        with pytest.raises(ConnectionError):
            await shop.call(System(ConnectionError()))
        with pytest.raises(UnavailableError):
            await shop.call(System("well"))

    async def test_a_stream_counts(self) -> None:
        shop = resilient(threshold=1)
        with pytest.raises(ConnectionError):
            async with shop.guard():
                raise ConnectionError

        with pytest.raises(UnavailableError):
            async with shop.guard():
                pytest.fail("The circuit is open.")

    async def test_an_open_circuit_gathers_nothing(self) -> None:
        shop = resilient(attempts=1, threshold=1)
        with pytest.raises(ConnectionError):
            await shop.call(System(ConnectionError()))
        lengths = set()
        for _ in range(5):
            with pytest.raises(UnavailableError) as caught:
                await shop.call(System("well"))
            state = caught.value.__context__
            length = 0
            step = state.__traceback__ if state is not None else None
            while step is not None:
                length, step = length + 1, step.tb_next
            lengths.add(length)

        assert len(lengths) == 1


class TestObserver:
    async def test_sees_every_attempt_and_what_an_open_circuit_refuses(self) -> None:
        seen: list[tuple[str, type[BaseException] | None]] = []

        def observe(system: str) -> CallFinished:
            return lambda error: seen.append((system, None if error is None else type(error)))

        calls = resilient(threshold=2)
        with observe_calls(observe):
            await calls.call(System(ConnectionError(), "well"))
            with pytest.raises(UnavailableError):
                await calls.call(System(ConnectionError()))

        assert seen == [
            ("shop", ConnectionError),
            ("shop", None),
            ("shop", ConnectionError),
            ("shop", ConnectionError),
            ("shop", UnavailableError),
        ]
