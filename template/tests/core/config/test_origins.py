"""Origins of browser pages."""

import pytest

from app.core.config.origins import normal_origin


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("https://app.example.com", "https://app.example.com"),
        ("https://app.example.com/", "https://app.example.com"),
        ("HTTPS://App.Example.COM", "https://app.example.com"),
        ("https://app.example.com:443", "https://app.example.com"),
        ("http://localhost:80", "http://localhost"),
        ("http://localhost:5173", "http://localhost:5173"),
        ("http://[::1]:5173", "http://[::1]:5173"),
        ("capacitor://localhost", "capacitor://localhost"),
        ("*", "*"),
    ],
)
def test_an_origin_is_written_as_browsers_send_it(written: str, sent: str) -> None:
    assert normal_origin(written) == sent


@pytest.mark.parametrize(
    "value",
    [
        "https://*.example.com",
        "app.example.com",
        "https://",
        "https://app.example.com/path",
        "https://app.example.com?x=1",
        "https://me:pw@app.example.com",
        "https://app.example.com:99999",
        "https://b\u00fccher.example",
        "",
    ],
)
def test_an_invalid_origin_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match=r"must list origins|wildcard|ASCII form"):
        normal_origin(value)
