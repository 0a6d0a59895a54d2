"""The header `traceparent`."""

import pytest

from app.core.context import TraceIds
from app.tracing.trace_context import parse_traceparent

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID = "b7ad6b7169203331"


@pytest.mark.parametrize(("flags", "sampled"), [("00", False), ("01", True), ("02", False), ("ff", True)])
def test_is_read_with_its_flag(flags: str, sampled: bool) -> None:  # noqa: FBT001 - a parameter of the test
    ids = TraceIds(trace_id=TRACE_ID, span_id=SPAN_ID, sampled=sampled)
    assert parse_traceparent(f"00-{TRACE_ID}-{SPAN_ID}-{flags}") == ids


def test_of_a_later_version_may_be_longer() -> None:
    assert parse_traceparent(f"01-{TRACE_ID}-{SPAN_ID}-01-more") is not None
    assert parse_traceparent(f"01-{TRACE_ID}-{SPAN_ID}-01") is not None


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "00",
        f"00-{TRACE_ID}-{SPAN_ID}-01-more",
        f"00-{TRACE_ID}-{SPAN_ID}-01\n",
        f" 00-{TRACE_ID}-{SPAN_ID}-01",
        f"ff-{TRACE_ID}-{SPAN_ID}-01",
        f"00-{TRACE_ID.upper()}-{SPAN_ID}-01",
        f"00-{'0' * 32}-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{'0' * 16}-01",
        f"00-{TRACE_ID[1:]}g-{SPAN_ID}-01",
        f"00-{TRACE_ID}-{SPAN_ID}-0\u0661",
        f"01-{TRACE_ID}-{SPAN_ID}-01more",
        f"01-{TRACE_ID}-{SPAN_ID}-01-{'x' * 10_000}",
    ],
)
def test_that_is_invalid_is_ignored(value: str | None) -> None:
    assert parse_traceparent(value) is None
