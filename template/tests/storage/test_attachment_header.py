"""The header with which a browser saves a file."""

from app.storage.attachment_header import attachment_header


def test_the_header_accepts_any_name() -> None:
    header = attachment_header('a"b\r\nX: y;é%.txt')

    assert header == "attachment; filename=\"a_b__X: y;__.txt\"; filename*=UTF-8''a%22b%0D%0AX%3A%20y%3B%C3%A9%25.txt"
    assert header.isascii()
