"""Files in a bucket of Amazon S3, or of what speaks its protocol."""

import pytest

from app.core.runtime import create_runtime
from app.core.settings import ConfigurationError
from app.storage.module import module
from app.storage.providers.s3 import S3Settings, bucket_url
from tests.storage.object_store import KEY_ID, SECRET, ObjectStoreContract, Store


class TestS3(ObjectStoreContract):
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


@pytest.mark.usefixtures("environment")
class TestSettings:
    def test_what_is_missing_stops_the_start(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_PROVIDER", "s3")
        with pytest.raises(ConfigurationError) as raised:
            create_runtime([module])

        names = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_S3_BUCKET")
        problems = [problem for problem in raised.value.problems if problem.startswith("AWS")]
        assert problems == [f"{name} is required for STORAGE_PROVIDER=s3" for name in names]

    def test_the_local_store_needs_none_of_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STORAGE_PROVIDER", "local")

        assert create_runtime([module]).resource(S3Settings).AWS_S3_BUCKET == ""

    @pytest.mark.parametrize(
        "value", ["storage.example.com", "ftp://a.example.com", "https://a.example.com?b", "http://"]
    )
    def test_an_address_has_to_be_one(self, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT_URL", value)
        with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL has to be an address"):
            create_runtime([module])

    @pytest.mark.parametrize("value", ["Files", "my_files", "a", "a/b", "files."])
    def test_a_bucket_has_a_name_that_it_can_have(self, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_S3_BUCKET", value)
        with pytest.raises(ConfigurationError, match="AWS_S3_BUCKET"):
            create_runtime([module])


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
