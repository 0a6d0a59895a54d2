"""What may stand in a header."""

import pytest

from app.email.addresses import InvalidAddressError, check_address
from app.email.port import Sender

NO_ADDRESSES = [
    "",
    "ada",
    "@example.com",
    "ada@",
    "ada@example",
    "ada@@example.com",
    "ada b@example.com",
    "ada@exa mple.com",
    "ada@-example.com",
    "ada@example..com",
    ".ada@example.com",
    "ada.@example.com",
    "<ada@example.com>",
    "Ada <ada@example.com>",
    "ada@example.com, eve@example.com",
    "ada@example.com;eve@example.com",
    "ada@example.com\nBcc: eve@example.com",
    "ada@example.com\r\nBcc: eve@example.com",
    "ada@example.com\0",
    "ada@example.com\n",
    '"ada"@example.com',
    "ädä@example.com",
    "ada@[127.0.0.1]",
    "a" * 65 + "@example.com",
    "ada@" + "a" * 64 + ".com",
    "ada@" + "a." * 130 + "com",
    "ada@ä..com",
    "ada@straße.example",
]


@pytest.mark.parametrize("address", NO_ADDRESSES, ids=ascii)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InvalidAddressError):
        check_address(address)


@pytest.mark.parametrize(
    ("address", "wired"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Lovelace+news@mail.example.com", "Ada.Lovelace+news@mail.example.com"),
        ("o'brien_1@example.co", "o'brien_1@example.co"),
        ("ada@müller.example", "ada@xn--mller-kva.example"),
        ("ada@MÜLLER.example", "ada@xn--mller-kva.example"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_an_address_is_taken_as_it_goes_over_the_wire(address: str, wired: str) -> None:
    assert check_address(address) == wired


@pytest.mark.parametrize(
    ("name", "mailbox"),
    [
        ("My SaaS", "My SaaS <hello@example.com>"),
        ("Grüße", "Grüße <hello@example.com>"),
        ("Smith, Inc.", '"Smith, Inc." <hello@example.com>'),
        ('The "One" \\o/', '"The \\"One\\" \\\\o/" <hello@example.com>'),
        ("<eve@example.com>", '"<eve@example.com>" <hello@example.com>'),
    ],
)
def test_a_senders_name_cannot_be_another_address(name: str, mailbox: str) -> None:
    assert Sender(address="hello@example.com", name=name).mailbox == mailbox
