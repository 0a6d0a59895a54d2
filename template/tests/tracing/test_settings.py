"""The settings of tracing."""

import pytest

from app.core.config.settings import ConfigurationError, load_settings
from app.tracing.settings import TracingSettings, parse_headers


def load(monkeypatch: pytest.MonkeyPatch, **values: str) -> TracingSettings:
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    loaded = load_settings([TracingSettings])
    return next(each for each in loaded.values() if isinstance(each, TracingSettings))


def test_traces_are_off_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load(monkeypatch).traces_url == ""


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:4318", "http://127.0.0.1:4318/"])
def test_the_path_of_traces_is_appended(monkeypatch: pytest.MonkeyPatch, endpoint: str) -> None:
    assert load(monkeypatch, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint).traces_url == "http://127.0.0.1:4318/v1/traces"


def test_headers_are_decoded_and_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, OTEL_EXPORTER_OTLP_HEADERS="API-Key=hidden%2C%3D, x-team=web,")
    assert settings.headers == {"api-key": "hidden,=", "x-team": "web"}
    assert "hidden" not in repr(settings)


@pytest.mark.parametrize("text", ["hidden", "=hidden", "a b=hidden", "a=hidden%0d%0Ax: y", "a=hidden%00"])
def test_malformed_headers_are_refused_without_showing_them(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(ConfigurationError, match="OTEL_EXPORTER_OTLP_HEADERS") as caught:
        load(monkeypatch, OTEL_EXPORTER_OTLP_HEADERS=text)
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "127.0.0.1:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://me:secret@127.0.0.1"),
        ("OTEL_TRACES_SAMPLER_ARG", "1.1"),
        ("OTEL_TRACES_SAMPLER_ARG", "nan"),
        ("TRACING_PARENTS_PER_SECOND", "-1"),
    ],
)
def test_invalid_values_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        load(monkeypatch, **{name: value})


def test_no_headers() -> None:
    assert parse_headers("") == {}
