"""The strategies that draw a history."""

from typing import Final

from hypothesis import strategies as st

from tests.stripe.histories.steps import (
    Ask,
    AtOnce,
    Buy,
    Deliver,
    Erase,
    GiveBack,
    Outage,
    Overtake,
    Pause,
    Reconcile,
    Step,
    Transfer,
    Trouble,
    UseCard,
    Wait,
)

_WHO: Final = st.sampled_from([0, 0, 0, 1])
_CARDS: Final = st.sampled_from(["4242", "4242", "3184", "0341"])
_BUY: Final[st.SearchStrategy[Step]] = st.builds(
    Buy,
    _WHO,
    st.sampled_from(["pro", "enterprise", "enterprise"]),
    st.sampled_from(["monthly", "monthly", "monthly", "yearly"]),
    _CARDS,
    st.booleans(),
)
_WAIT: Final[st.SearchStrategy[Step]] = st.builds(Wait, st.sampled_from(["+30minutes", "+4days", "+15days", "+33days"]))
_DELIVER: Final[st.SearchStrategy[Step]] = st.builds(Deliver, st.booleans(), st.integers(1, 2), st.integers(0, 2))
_USE_CARD: Final[st.SearchStrategy[Step]] = st.builds(UseCard, _WHO, _CARDS, st.booleans())
_GIVE_BACK: Final[st.SearchStrategy[Step]] = st.builds(
    GiveBack, _WHO, st.sampled_from(["refund", "refund", "part", "dispute", "won", "lost"]), st.sampled_from([1, 2])
)
_PAUSE: Final[st.SearchStrategy[Step]] = st.builds(Pause, _WHO, st.sampled_from(["collection", "subscription", "end"]))
_ONE: Final[st.SearchStrategy[Step]] = st.one_of(
    _BUY,
    _BUY,
    _WAIT,
    _WAIT,
    _DELIVER,
    _DELIVER,
    st.builds(Ask, _WHO, st.sampled_from(["cancel", "resume", "pro", "enterprise"])),
    _USE_CARD,
    _GIVE_BACK,
    _PAUSE,
    st.builds(Overtake, _WHO, st.one_of(_WAIT, _USE_CARD, _GIVE_BACK, _PAUSE)),
    st.builds(Trouble, st.integers(0, 4), st.integers(0, 4)),
    st.builds(Outage),
    st.builds(Reconcile),
    st.builds(Transfer, _WHO),
    st.builds(Erase, _WHO),
)
_STEPS: Final[st.SearchStrategy[Step]] = st.one_of(_ONE, _ONE, _ONE, st.builds(AtOnce, _ONE, st.just(Reconcile())))


def _history(first: Step, rest: list[Step]) -> list[Step]:
    return [first, *rest]


HISTORIES: Final = st.builds(_history, _BUY, st.lists(_STEPS, min_size=4, max_size=16))
