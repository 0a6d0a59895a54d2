"""The ledger."""

from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest

from app.core.db.models import utc_now
from app.core.ports.usage import UnbilledUsage, UsageRecorder
from app.core.runtime import Runtime
from app.usage_billing.models import UsageState
from tests.conftest import ME, SignIn
from tests.usage_billing.conftest import METER, record, records


class TestRecord:
    async def test_adds_a_row_to_the_transaction(self, runtime: Runtime, user_id: UUID) -> None:
        await record(runtime, user_id, 5)
        (row,) = await records(runtime)
        assert (row.user_id, row.meter, row.quantity, row.state) == (user_id, METER, 5, UsageState.PENDING)

    async def test_is_rolled_back_with_the_transaction(self, runtime: Runtime, user_id: UUID) -> None:
        async def work() -> None:
            async with runtime.database.transaction() as session:
                await runtime.usage.record(session, user_id, METER)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await work()
        assert await records(runtime) == []

    async def test_counts_a_key_once(self, runtime: Runtime, user_id: UUID) -> None:
        await record(runtime, user_id, 5, key="job-1")
        await record(runtime, user_id, 5, key="job-1")
        await record(runtime, user_id, 7, key="job-2")
        assert [row.quantity for row in await records(runtime)] == [5, 7]

    async def test_a_key_belongs_to_its_user(
        self, client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn, user_id: UUID
    ) -> None:
        other = UUID((await client.get(ME, headers=await sign_in(email="bob@example.com"))).json()["id"])
        await record(runtime, other, 5, key="job-1")
        await record(runtime, user_id, 7, key="job-1")
        assert [(row.user_id, row.quantity) for row in await records(runtime)] == [(other, 5), (user_id, 7)]

    @pytest.mark.parametrize(
        ("values", "error"),
        [
            ({"meter": "tokens"}, LookupError),
            ({"quantity": 0}, ValueError),
            ({"quantity": -1}, ValueError),
            ({"quantity": 10**12 + 1}, ValueError),
            ({"quantity": 1.5}, ValueError),
            ({"quantity": float("nan")}, ValueError),
            ({"quantity": float("inf")}, ValueError),
            ({"quantity": True}, ValueError),
            ({"key": ""}, ValueError),
            ({"key": "job\0"}, ValueError),
            ({"key": "job\ud800"}, ValueError),
            ({"at": datetime(2026, 11, 28)}, ValueError),  # noqa: DTZ001 - a mistake
            ({"key": "x" * 201}, ValueError),
            ({"at": utc_now() + timedelta(days=1)}, ValueError),
            ({"at": utc_now() - timedelta(days=35)}, ValueError),
        ],
    )
    async def test_rejects_mistakes(
        self, runtime: Runtime, user_id: UUID, values: dict[str, object], error: type[Exception]
    ) -> None:
        async with runtime.database.transaction() as session:
            with pytest.raises(error):
                await runtime.usage.record(session, user_id, **({"meter": METER} | values))  # type: ignore[arg-type] # mistakes
        assert await records(runtime) == []

    async def test_refuses_a_session_that_only_reads(self, runtime: Runtime, user_id: UUID) -> None:
        async with runtime.database.reading() as session:
            with pytest.raises(RuntimeError, match="only reads"):
                await runtime.usage.record(session, user_id, METER)


async def test_the_null_implementation_does_nothing(runtime: Runtime, user_id: UUID) -> None:
    usage: UsageRecorder = UnbilledUsage()
    async with runtime.database.transaction() as session:
        await usage.record(session, user_id, "anything", -5)
    assert await records(runtime) == []
