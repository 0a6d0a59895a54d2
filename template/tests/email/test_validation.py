"""Validation of addresses, header lines and attachments."""

import pytest

from app.email.errors import InvalidAddressError, InvalidAttachmentError
from app.email.port import Attachment, Sender
from app.email.validation import MAX_ATTACHMENTS, MAX_ATTACHMENTS_SIZE, check_address, check_attachments

INVALID_ADDRESSES = [
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
    "ada@" + "ä" * 100_000 + ".com",
]


@pytest.mark.parametrize("address", INVALID_ADDRESSES, ids=lambda address: ascii(address)[:40])
def test_rejects_an_invalid_address(address: str) -> None:
    with pytest.raises(InvalidAddressError):
        check_address(address)


@pytest.mark.parametrize(
    ("address", "encoded"),
    [
        ("ada@example.com", "ada@example.com"),
        ("Ada.Lovelace+news@mail.example.com", "Ada.Lovelace+news@mail.example.com"),
        ("o'brien_1@example.co", "o'brien_1@example.co"),
        ("ada@müller.example", "ada@xn--mller-kva.example"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@MÜLLER.example", "ada@xn--mller-kva.example"),
        ("a" * 64 + "@example.com", "a" * 64 + "@example.com"),
    ],
)
def test_returns_an_address_as_it_is_sent(address: str, encoded: str) -> None:
    assert check_address(address) == encoded


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
def test_a_sender_name_cannot_become_another_address(name: str, mailbox: str) -> None:
    assert Sender(address="hello@example.com", name=name).mailbox == mailbox


class TestAttachments:
    @pytest.mark.parametrize(
        "filename",
        [
            "",
            "invoice",
            ".pdf",
            ".htaccess",
            " a.pdf",
            "a.",
            "../a.pdf",
            "a/b.pdf",
            "a\\b.pdf",
            "C:a.pdf",
            'a".pdf',
            "a;b.pdf",
            "a\n.pdf",
            "a.pdf\n",
            "a\r\nBcc: eve@example.com.pdf",
            "a\0.pdf",
            "a\u202efdp.exe",
            "a\ud800.pdf",
            "a" * 197 + ".pdf",
        ],
        ids=lambda name: ascii(name)[:40],
    )
    def test_rejects_an_unsafe_filename(self, filename: str) -> None:
        with pytest.raises(InvalidAttachmentError, match="file name"):
            check_attachments([Attachment(filename=filename, content=b"a")])

    @pytest.mark.parametrize(
        "content_type",
        [
            "",
            "pdf",
            "application/",
            "/pdf",
            "application/pdf; name=a",
            "application/pdf\r\nBcc: eve@example.com",
            "text/plain\n",
            "multipart/mixed",
            "message/rfc822",
            "text/" + "a" * 74,
        ],
        ids=lambda name: ascii(name)[:40],
    )
    def test_rejects_an_unsafe_content_type(self, content_type: str) -> None:
        with pytest.raises(InvalidAttachmentError, match="content type"):
            check_attachments([Attachment(filename="a.pdf", content=b"a", content_type=content_type)])

    def test_rejects_an_empty_file(self) -> None:
        with pytest.raises(InvalidAttachmentError, match="empty"):
            check_attachments([Attachment(filename="a.pdf", content=b"")])

    @pytest.mark.parametrize(
        ("filename", "content_type"),
        [
            ("invoice-7.pdf", "application/pdf"),
            ("Übersicht (März) 2026.tar.gz", "application/gzip"),
            ("請求書.xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ("a" * 196 + ".pdf", "image/svg+xml"),
        ],
    )
    def test_accepts_usual_names_and_types(self, filename: str, content_type: str) -> None:
        attachment = Attachment(filename=filename, content=b"a", content_type=content_type)
        assert check_attachments([attachment]) == (attachment,)

    def test_accepts_the_limits_and_checks_them_first(self) -> None:
        whole = Attachment(filename="a.bin", content=bytes(MAX_ATTACHMENTS_SIZE))
        assert check_attachments([whole]) == (whole,)
        with pytest.raises(InvalidAttachmentError, match="7000000 bytes"):
            check_attachments([whole, Attachment(filename="", content=b"a")])
        with pytest.raises(InvalidAttachmentError, match="20 attachments"):
            check_attachments([Attachment(filename="", content=b"")] * (MAX_ATTACHMENTS + 1))

    def test_the_content_is_not_shown(self) -> None:
        assert "secret" not in repr(Attachment(filename="a.txt", content=b"secret"))
