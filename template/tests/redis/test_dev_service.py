"""`app dev` on a machine without a Redis server."""

from pathlib import Path

import pytest

from app.core.config.settings import ConfigurationError
from app.dev.servers.redis import dev_service
from app.dev.services import services


class TestDevService:
    def test_continues_without_a_server_and_prints_it(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        said: list[str] = []
        with services(say=said.append, folder=tmp_path, known=[dev_service]) as variables:
            assert variables == {}
        assert said == [dev_service.without]

    @pytest.mark.parametrize(("name", "value"), [("REDIS_URL", "redis://127.0.0.1:1/0"), ("ENVIRONMENT", "staging")])
    def test_is_not_started_if_a_server_is_configured_or_required(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
    ) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
        monkeypatch.setenv(name, value)
        said: list[str] = []
        with services(say=said.append, folder=tmp_path, known=[dev_service]) as variables:
            assert variables == {}
        assert said == []

    def test_explains_an_address_that_cannot_work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", "cache.internal")
        with pytest.raises(ConfigurationError, match="REDIS_URL"), services(folder=tmp_path, known=[dev_service]):
            pass
