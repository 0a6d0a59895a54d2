"""REDIS_URL in the forms in which platforms give it, and in those that cannot work."""

import pytest

from app.core.config.settings import ConfigurationError, load_settings
from app.redis.connection import connection_options
from app.redis.settings import RedisSettings


def load(url: str) -> str | None:
    """REDIS_URL as it is read."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("REDIS_URL", url)
        settings = load_settings([RedisSettings])[RedisSettings]
    assert isinstance(settings, RedisSettings)
    assert "hunter22" not in repr(settings)
    return settings.REDIS_URL


class TestUrl:
    @pytest.mark.parametrize(
        ("url", "expected"),
        [
            ("redis://cache.internal", {"host": "cache.internal"}),
            (
                "redis://me:hunter22%40home@cache.internal:6380/3",
                {"username": "me", "password": "hunter22@home", "host": "cache.internal", "port": 6380, "db": 3},
            ),
            ("redis://:hunter22@cache.internal/", {"password": "hunter22"}),
            ("rediss://default:hunter22@cache.example.com:6379", {"ssl_check_hostname": True}),
            ("rediss://cache.internal/0?ssl_cert_reqs=none", {"ssl_cert_reqs": "none", "ssl_check_hostname": False}),
            ("rediss://cache.internal/0?ssl_ca_certs=/etc/ca.pem", {"ssl_ca_certs": "/etc/ca.pem"}),
            ("unix:///run/cache.sock?db=2", {"path": "/run/cache.sock", "db": 2}),
        ],
    )
    def test_has_the_address_and_the_user(self, url: str, expected: dict[str, object]) -> None:
        read = load(url)
        assert read is not None
        assert connection_options(read).items() >= expected.items()

    @pytest.mark.parametrize(
        ("url", "said"),
        [
            ("cache.internal:6379", "must look like"),
            ("https://cache.internal", "must look like"),
            ("redis://", "must look like"),
            ("redis://cache.internal:port/0", "is not a URL"),
            ("redis://cache.internal/main", "a database number"),
            ("redis://cache.internal/0?family=6&hunter22=1", "unknown query parameters: family"),
        ],
    )
    def test_that_cannot_work_is_refused(self, url: str, said: str) -> None:
        with pytest.raises(ConfigurationError, match=said):
            load(url)

    def test_is_required_outside_local(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("REDIS_URL", raising=False)
        assert load_settings([RedisSettings])
        monkeypatch.setenv("ENVIRONMENT", "staging")
        with pytest.raises(ConfigurationError, match="REDIS_URL is required outside local"):
            load_settings([RedisSettings])

    def test_with_an_example_password_is_for_local_only(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert load("redis://:changeme@cache.internal") is not None
        monkeypatch.setenv("ENVIRONMENT", "production")
        with pytest.raises(ConfigurationError, match="REDIS_URL has an example password"):
            load("redis://:changeme@cache.internal")

    @pytest.mark.parametrize("url", ["redis://cache.internal", "rediss://me@cache.internal:6380/3"])
    def test_without_a_password_is_refused_in_production_unless_allowed(
        self, url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ENVIRONMENT", "staging")
        assert load(url) is not None
        monkeypatch.setenv("ENVIRONMENT", "production")
        with pytest.raises(ConfigurationError, match=r"REDIS_URL has no password.*REDIS_ALLOW_NO_PASSWORD"):
            load(url)
        monkeypatch.setenv("REDIS_ALLOW_NO_PASSWORD", "true")
        assert load(url) is not None

    def test_of_a_unix_socket_needs_no_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ENVIRONMENT", "production")
        assert load("unix:///run/cache.sock?db=2") is not None

    def test_that_checks_no_certificate_is_refused_in_production(self, monkeypatch: pytest.MonkeyPatch) -> None:
        url = "rediss://me:hunter22@cache.internal/0?ssl_cert_reqs=none"
        monkeypatch.setenv("ENVIRONMENT", "staging")
        assert load(url) is not None
        monkeypatch.setenv("ENVIRONMENT", "production")
        with pytest.raises(ConfigurationError, match="REDIS_URL has ssl_cert_reqs=none"):
            load(url)
