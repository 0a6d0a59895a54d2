"""The client's address behind trusted and untrusted proxies."""

import pytest
from starlette.requests import Request
from structlog.testing import capture_logs

from app.core.http.client_address import client_address, warn_of_untrusted_proxy

PEER = "198.51.100.7"


def asked(*forwarded: str, peer: str | None = PEER, trusted: int = 0) -> str:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    scope = {"type": "http", "headers": headers, "client": (peer, 1) if peer else None}
    return client_address(Request(scope), trusted)


class TestWithoutProxies:
    def test_it_is_the_peer(self) -> None:
        assert asked() == PEER

    def test_headers_of_the_client_are_ignored(self) -> None:
        assert asked("192.0.2.1") == PEER

    def test_an_unconfigured_proxy_is_logged_once(self) -> None:
        warn_of_untrusted_proxy.cache_clear()
        with capture_logs() as lines:
            asked()
            assert lines == []
            for _ in range(3):
                asked("192.0.2.1")
            asked("192.0.2.1", trusted=1)

        assert [line["event"] for line in lines] == ["forwarded_for_ignored"]
        assert "192.0.2.1" not in str(lines)

    def test_a_peer_without_address_is_unknown(self) -> None:
        assert asked(peer=None) == "unknown"


class TestBehindOneProxy:
    def test_it_is_the_last_entry(self) -> None:
        assert asked("192.0.2.1", trusted=1) == "192.0.2.1"

    def test_entries_of_the_client_are_ignored(self) -> None:
        assert asked("203.0.113.9, 192.0.2.66, 192.0.2.1", trusted=1) == "192.0.2.1"

    def test_several_headers_are_one_list(self) -> None:
        assert asked("203.0.113.9", "192.0.2.1", trusted=1) == "192.0.2.1"

    def test_without_the_header_it_is_the_peer(self) -> None:
        assert asked(trusted=1) == PEER

    @pytest.mark.parametrize(
        "entry", ["", " ", "unknown", "_hidden", "999.1.2.3", "192.0.2.1, ", "' OR 1=1", "9" * 5000, "[::1", "1.2.3"]
    )
    def test_an_invalid_entry_yields_the_peer(self, entry: str) -> None:
        assert asked(entry, trusted=1) == PEER

    @pytest.mark.parametrize(
        ("entry", "address"), [("192.0.2.1:4711", "192.0.2.1"), ("[2001:db8::1]:443", "2001:db8::/64")]
    )
    def test_a_port_is_cut_off(self, entry: str, address: str) -> None:
        assert asked(entry, trusted=1) == address


class TestBehindTwoProxies:
    def test_it_is_the_second_entry_from_the_right(self) -> None:
        assert asked("203.0.113.9, 192.0.2.1, 198.51.100.99", trusted=2) == "192.0.2.1"

    def test_a_request_through_only_one_yields_the_peer(self) -> None:
        assert asked("192.0.2.1", trusted=2) == PEER


class TestIPv6:
    def test_is_counted_by_the_network_that_one_customer_has(self) -> None:
        assert asked(peer="2001:db8:1:2:3:4:5:6") == asked(peer="2001:db8:1:2:ffff::1") == "2001:db8:1:2::/64"

    def test_of_another_network_is_another_client(self) -> None:
        assert asked(peer="2001:db8:1:3::1") != asked(peer="2001:db8:1:2::1")

    def test_a_mapped_address_is_ipv4(self) -> None:
        assert asked(peer="::ffff:192.0.2.1") == "192.0.2.1"
