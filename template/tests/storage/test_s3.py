"""Files in a bucket of Amazon S3 or a compatible server."""

from typing import ClassVar

import pytest

from app.storage.providers.s3 import S3Settings, bucket_url
from tests.storage.remote_settings import RemoteSettingsContract
from tests.storage.s3_protocol import KEY_ID, SECRET, S3ProtocolContract, Store


class TestS3(S3ProtocolContract):
    provider = "s3"

    @pytest.fixture
    def provider_settings(self, store: Store) -> dict[str, str]:
        return {
            "STORAGE_PROVIDER": "s3",
            "AWS_REGION": "eu-central-1",
            "AWS_S3_BUCKET": store.bucket,
            "AWS_ENDPOINT_URL": f"{store.web.url}/",
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET,
        }


class TestSettings(RemoteSettingsContract):
    provider = "s3"
    needed: ClassVar = {"AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_S3_BUCKET": "files"}
    malformed = (
        *(("AWS_S3_BUCKET", value) for value in ("Files", "my_files", "a", "a/b", "files.")),
        *(("AWS_ENDPOINT_URL", value) for value in ("s.example.com", "ftp://a.test", "https://a.test?b", "http://")),
    )


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"AWS_S3_BUCKET": "files"}, "https://files.s3.us-east-1.amazonaws.com"),
        ({"AWS_S3_BUCKET": "files", "AWS_REGION": "eu-west-1"}, "https://files.s3.eu-west-1.amazonaws.com"),
        ({"AWS_S3_BUCKET": "my.files"}, "https://s3.us-east-1.amazonaws.com/my.files"),
        ({"AWS_S3_BUCKET": "files", "AWS_ENDPOINT_URL": "https://s.example.com/"}, "https://s.example.com/files"),
    ],
)
def test_a_bucket_has_an_address(settings: dict[str, str], url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    assert bucket_url(S3Settings()) == url
