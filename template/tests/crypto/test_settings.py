"""The setting ENCRYPTION_KEYS."""

import json
import os

import pytest
from click.testing import CliRunner

from app.cli.settings import settings as settings_command
from app.core.config.settings import ConfigurationError, load_settings
from app.crypto.settings import LOCAL_KEY, CryptoSettings
from app.kit.crypto.encryption import EncryptionKey
from tests.crypto.keys import NEW, OLD, use_keys


def load(
    monkeypatch: pytest.MonkeyPatch, keys: list[str] | str | None, environment: str = "production"
) -> CryptoSettings:
    monkeypatch.setenv("ENVIRONMENT", environment)
    if keys is None:
        monkeypatch.delenv("ENCRYPTION_KEYS", raising=False)
    else:
        monkeypatch.setenv("ENCRYPTION_KEYS", keys if isinstance(keys, str) else json.dumps(keys))
    loaded = load_settings([CryptoSettings])[CryptoSettings]
    assert isinstance(loaded, CryptoSettings)
    return loaded


class TestKeys:
    def test_the_first_key_encrypts(self, monkeypatch: pytest.MonkeyPatch) -> None:
        keyring = load(monkeypatch, [str(NEW), str(OLD)]).keyring

        assert keyring.current_id == "new"
        assert keyring.ids == ("new", "old")

    def test_local_has_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        assert load(monkeypatch, None, "local").keyring.current_id == "local"

    @pytest.mark.parametrize("keys", [None, "", "[]"])
    def test_are_required_elsewhere(self, monkeypatch: pytest.MonkeyPatch, keys: str | None) -> None:
        with pytest.raises(ConfigurationError, match="ENCRYPTION_KEYS is required outside local"):
            load(monkeypatch, keys)

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ("abc", "is not JSON"),
            (["abc"], "must be an id, a colon, and the base64"),
            (["a:!!!"], "must be base64 after the colon"),
            (["a:YWJj"], "the key 'a' has 3 bytes instead of 32"),
            (["A b:" + str(NEW).split(":")[1]], "the id of a key must be"),
            ([str(NEW), str(NEW)], "have the same id"),
            ([str(NEW), "other:" + str(NEW).split(":")[1]], "have the same secret"),
            ([LOCAL_KEY], "has example keys: local"),
            ([str(EncryptionKey("a", b"0" * 32))], "has example keys: a"),
            ([str(EncryptionKey("a", b"01234567" * 4))], "has example keys: a"),
        ],
    )
    def test_are_checked_at_start(self, monkeypatch: pytest.MonkeyPatch, keys: list[str] | str, reason: str) -> None:
        with pytest.raises(ConfigurationError, match=reason) as raised:
            load(monkeypatch, keys)
        assert str(NEW).split(":")[1] not in str(raised.value)


class TestSecrecy:
    def test_no_representation_shows_a_key(self, monkeypatch: pytest.MonkeyPatch) -> None:
        loaded = load(monkeypatch, [str(NEW)])
        encoded = str(NEW).split(":")[1]

        for shown in (repr(loaded), str(loaded), loaded.model_dump_json(), repr(loaded.keyring), repr(NEW), f"{NEW!r}"):
            assert encoded not in shown
            assert repr(NEW.secret)[2:-1] not in shown

    def test_the_command_shows_that_it_is_required_and_no_value(self, monkeypatch: pytest.MonkeyPatch) -> None:
        use_keys(monkeypatch, NEW)

        shown = CliRunner().invoke(settings_command).output

        assert "ENCRYPTION_KEYS" in shown
        (line,) = [line for line in shown.splitlines() if line.startswith("ENCRYPTION_KEYS")]
        assert line.split() == ["ENCRYPTION_KEYS", "environment", "set", "yes"]
        assert str(NEW).split(":")[1] not in shown
        assert os.environ["ENCRYPTION_KEYS"] not in shown
