"""File names are made safe."""

import pytest

from app.storage.filenames import attachment_header, clean_filename


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\cat.png", "cat.png"),
        ("/folder/", "folder"),
        (".htaccess", "htaccess"),
        ("cat.png. ", "cat.png"),
        ('a<b>:"|?*;.txt', "a_b_______.txt"),
        ("exe.\u202egnp.exe", "exe.gnp.exe"),
        ("zero\u200bwidth.txt", "zerowidth.txt"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Ka\u0308se.png", "K\u00e4se.png"),
        ("猫.png", "猫.png"),
        ("x" * 300 + ".jpeg", "x" * 195 + ".jpeg"),
        ("x." + "y" * 300, "x." + "y" * 198),
    ],
)
def test_a_name_is_cleaned(typed: str, name: str) -> None:
    assert clean_filename(typed) == name
    assert clean_filename(name) == name


@pytest.mark.parametrize("typed", ["", ".", "..", "/", " . ", "\u202e\u200b"])
def test_an_invalid_name_is_refused(typed: str) -> None:
    with pytest.raises(ValueError, match="is not a file name"):
        clean_filename(typed)


def test_the_header_accepts_any_name() -> None:
    header = attachment_header('a"b\r\nX: y;é%.txt')

    assert header == "attachment; filename=\"a_b__X: y;__.txt\"; filename*=UTF-8''a%22b%0D%0AX%3A%20y%3B%C3%A9%25.txt"
    assert header.isascii()
