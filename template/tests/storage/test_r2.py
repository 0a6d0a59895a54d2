"""Files in a bucket of Cloudflare R2."""

from typing import ClassVar

import pytest

from app.storage.providers.r2 import R2Settings, bucket_url
from tests.storage.remote_settings import RemoteSettingsContract
from tests.storage.s3_protocol import KEY_ID, SECRET, S3ProtocolContract, Store

ACCOUNT = "0123456789abcdef0123456789abcdef"


class TestR2(S3ProtocolContract):
    provider = "r2"

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


class TestSettings(RemoteSettingsContract):
    provider = "r2"
    needed: ClassVar = {
        "R2_ACCOUNT_ID": ACCOUNT,
        "R2_ACCESS_KEY_ID": KEY_ID,
        "R2_SECRET_ACCESS_KEY": SECRET,
        "R2_BUCKET": "files",
    }
    malformed = (
        ("R2_ACCOUNT_ID", "me.example.com/"),
        ("R2_BUCKET", "My Files"),
        ("R2_ENDPOINT_URL", "example.com"),
    )


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
