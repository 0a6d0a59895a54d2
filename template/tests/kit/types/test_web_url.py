"""URLs, and which of their hosts are private."""

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.types.ip_addresses import is_public_address
from tests.kit.types.samples import STRINGS, refuses

URL, PUBLIC = STRINGS["HttpUrl"], STRINGS["PublicHttpUrl"]

PRIVATE_ADDRESSES = [
    "0.1.2.3", "10.0.0.1", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.8", "192.0.0.9",
    "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "203.0.113.1", "224.0.0.1", "239.1.2.3", "240.0.0.1",
    "168.63.129.16", "255.255.255.255", "::", "::1", "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1",
    "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1", "2002:7f00:1::", "2002:808:808::1",
    "3fff::1", "4000::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "fe80::1%eth0", "2606:4700::1%eth0", "ff02::1",
]  # fmt: skip
PUBLIC_ADDRESSES = ["1.1.1.1", "8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]


class TestHttpUrl:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("HTTPS://Example.COM/Path?q=1#top", "https://example.com/Path?q=1#top"),
            ("http://example.com", "http://example.com/"),
            ("https://example.com:8443/a@b", "https://example.com:8443/a@b"),
            ("https://b\xfccher.example/\xe4", "https://xn--bcher-kva.example/%C3%A4"),
            ("http://127.0.0.1:8000/", "http://127.0.0.1:8000/"),
            ("http://[::1]:8000/", "http://[::1]:8000/"),
            ("http://my_service.example./", "http://my_service.example./"),
        ],
        ids=ascii,
    )
    def test_is_kept_in_its_ascii_form(self, typed: str, kept: str) -> None:
        assert URL.validate_python(typed) == kept

    @pytest.mark.parametrize(
        "value",
        [
            "example.com", "//example.com", "ftp://example.com", "javascript:alert(1)", "https:example.com", "https://",
            "https:///path", "https://:80", "https://me:secret@example.com", "https://@example.com",
            "https://me@example.com",
            "https://example.com:99999", "https://example.com:0", "https://example.com:00/", "https://[::1]:0/",
            "https://exa mple.com", "https://example.com\\@evil.example",
            "https://exam\nple.com",
            "https://$(id).example.com", "https://`id`.example.com", "https://a'b.example", "https://*.example.com",
            "https://a,b.example", "https://a..b.example", "https://.example.com",
            "https://[::1", "https://exa%00mple.com", "https://" + "a" * 2000, "http://" + "\xe4" * 1000,
            "https://" + "a" * 64 + ".com", "https://" + "a." * 126 + "com",
        ],
        ids=lambda value: ascii(value)[:50],
    )  # fmt: skip
    def test_refuses_other_schemes_credentials_and_ambiguous_characters(self, value: str) -> None:
        assert refuses(URL, value)


class TestPublicHttpUrl:
    @pytest.mark.parametrize(
        "host",
        [
            "example.com",
            "a.example.com.",
            "a.b.co.uk",
            "shop.xn--p1ai",
            "b\xfccher.\u4e2d\u56fd",
            "a.github.io",
            "8.8.8.8",
            "[2606:4700:4700::1111]",
        ],
    )
    def test_accepts_public_hosts(self, host: str) -> None:
        assert PUBLIC.validate_python(f"https://{host}/")

    @pytest.mark.parametrize(
        "host",
        [
            "localhost", "localhost.", "LOCALHOST", "db", "dev", "com.", "printer.local", "a.localhost",
            "metadata.google.internal",
            "db.default", "db.default.svc", "db.prod.consul", "wiki.corp-net", "a.internal", "hooks.example",
            "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "127.0.0.1.", "0", "[::]", "[::ffff:7f00:1]",
            "1.0.0.127.in-addr.arpa", "127.0.0.1%2e", "\uff4cocalhost", "127\u30020.0.1", "a.test",
        ],
        ids=ascii,
    )  # fmt: skip
    def test_refuses_private_hosts_in_every_notation(self, host: str) -> None:
        assert refuses(PUBLIC, f"http://{host}/")

    @pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
    def test_refuses_private_addresses(self, address: str) -> None:
        assert refuses(PUBLIC, f"http://[{address}]/" if ":" in address else f"http://{address}/")


class TestIsPublicAddress:
    @pytest.mark.parametrize("address", PRIVATE_ADDRESSES)
    def test_is_false_for_special_addresses(self, address: str) -> None:
        assert not is_public_address(address)

    @pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
    def test_is_true_for_public_addresses(self, address: str) -> None:
        assert is_public_address(address)

    @given(st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
    def test_is_never_true_where_python_says_private(self, address: IPv4Address | IPv6Address) -> None:
        if is_public_address(address):
            assert address.is_global
            assert not address.is_multicast
            assert ip_address(str(address)) == address
