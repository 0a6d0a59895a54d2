"""The status of Apple's certificates: an OCSP server that fails or hangs."""

import threading
import time
from collections.abc import Callable
from datetime import timedelta

import pytest

from app.apple_iap.errors import (
    VerificationUnavailableError,
)
from app.apple_iap.verification import AppStoreVerifier
from app.dev.servers.app_store.certificates import Chain
from app.dev.servers.app_store.store import AppStore
from app.dev.servers.app_store.subscriptions import Subscription
from tests.apple_iap.conftest import verifier_of
from tests.payments.store_purchases import MONTHLY


@pytest.fixture
def item(app_store: AppStore) -> Subscription:
    return app_store.state.buy(MONTHLY)


class TestFailure:
    @pytest.mark.parametrize("status", [404, 429, 500, 503])
    async def test_a_failure_of_the_ocsp_server_is_temporary(
        self, app_store: AppStore, item: Subscription, verifier: AppStoreVerifier, status: int
    ) -> None:
        app_store.ocsp_fault = status
        with pytest.raises(VerificationUnavailableError) as caught:
            await verifier.transaction(app_store.signed_transaction(item))
        app_store.ocsp_fault = None

        assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "60"})
        assert await verifier.transaction(app_store.signed_transaction(item))

    async def test_an_ocsp_server_that_hangs_blocks_nothing(
        self, app_store: AppStore, item: Subscription, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        go_on, answer = threading.Event(), app_store.chain.certificate_status
        hanging: Callable[..., bytes] = lambda *arguments: (go_on.wait(20), answer(*arguments))[1]  # noqa: E731
        monkeypatch.setattr(Chain, "certificate_status", lambda _self, *arguments: hanging(*arguments))
        verifier = verifier_of(app_store, timeout=timedelta(seconds=0.1))
        started = time.monotonic()
        for _ in range(6):
            with pytest.raises(VerificationUnavailableError):
                await verifier.transaction(app_store.signed_transaction(item))
        took = time.monotonic() - started
        go_on.set()
        verifier.close()

        assert took < 5
        assert sum("app-store-verifier" in thread.name for thread in threading.enumerate()) <= 5
