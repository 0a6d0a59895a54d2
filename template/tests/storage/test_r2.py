"""Files in a bucket of Cloudflare R2, which speaks Amazon's protocol."""

import pytest

from app.core.runtime import create_runtime
from app.core.settings import ConfigurationError
from app.storage.module import module
from app.storage.providers.r2 import R2Settings, bucket_url
from tests.storage.object_store import KEY_ID, SECRET, ObjectStoreContract, Store

ACCOUNT = "0123456789abcdef0123456789abcdef"
REQUIRED = ("R2_ACCOUNT_ID", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_BUCKET")


class TestR2(ObjectStoreContract):
    @pytest.fixture
    def provider_settings(self, store: Store) -> dict[str, str]:
        return {
            "STORAGE_PROVIDER": "r2",
            "R2_ACCOUNT_ID": ACCOUNT,
            "R2_ACCESS_KEY_ID": KEY_ID,
            "R2_SECRET_ACCESS_KEY": SECRET,
            "R2_BUCKET": store.bucket,
            "R2_ENDPOINT_URL": store.web.url,
        }


@pytest.mark.usefixtures("environment")
class TestSettings:
    def test_what_is_missing_stops_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_PROVIDER", "r2")
        with pytest.raises(ConfigurationError) as raised:
            create_runtime([module])

        problems = [problem for problem in raised.value.problems if problem.startswith("R2_")]
        assert problems == [f"{name} is required for STORAGE_PROVIDER=r2" for name in REQUIRED]

    def test_the_local_store_needs_none_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_PROVIDER", "local")

        assert create_runtime([module]).resource(R2Settings).R2_BUCKET == ""

    @pytest.mark.parametrize(
        ("name", "value"),
        [("R2_ACCOUNT_ID", "me.example.com/"), ("R2_BUCKET", "My Files"), ("R2_ENDPOINT_URL", "example.com")],
    )
    def test_what_is_malformed_stops_the_start(self, name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(name, value)
        with pytest.raises(ConfigurationError, match=name):
            create_runtime([module])


@pytest.mark.parametrize(
    ("endpoint", "url"),
    [
        ("", f"https://{ACCOUNT}.r2.cloudflarestorage.com/files"),
        ("https://x.eu.r2.cloudflarestorage.com/", "https://x.eu.r2.cloudflarestorage.com/files"),
    ],
)
def test_a_bucket_has_an_address(endpoint: str, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("R2_ACCOUNT_ID", ACCOUNT)
    monkeypatch.setenv("R2_BUCKET", "files")
    monkeypatch.setenv("R2_ENDPOINT_URL", endpoint)

    assert bucket_url(R2Settings()) == url
