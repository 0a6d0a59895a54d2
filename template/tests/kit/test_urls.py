"""URLs of servers."""

import pytest

from app.kit.urls import check_origin, check_server_url

INVALID = [
    "",
    "api.example.com",
    "//api.example.com",
    "ftp://api.example.com",
    "https://",
    "https:///path",
    "https://:8000",
    "https://api.example.com:port",
    "https://api.example.com:99999",
    "https://[::1",
    "https://me:secret@api.example.com",
    "https://@api.example.com",
    "https://api.example.com?",
    "https://api.example.com?a=b",
    "https://api.example.com#a",
    "https://api.example.com\n",
    "https://api .example.com",
    "https://api.example.com\\path",
    "https://äpi.example.com",
]


@pytest.mark.parametrize("value", INVALID)
def test_an_unusable_url_is_refused(value: str) -> None:
    for check in (check_server_url, check_origin):
        with pytest.raises(ValueError, match="must be a URL"):
            check(value)


def test_a_server_url_may_have_a_path() -> None:
    assert check_server_url("https://api.example.com/v1//") == "https://api.example.com/v1"


def test_an_origin_has_no_path() -> None:
    assert check_origin("HTTPS://API.example.com:8443/") == "https://api.example.com:8443"
    with pytest.raises(ValueError, match="without a path"):
        check_origin("https://api.example.com/v1")
