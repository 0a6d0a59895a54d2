"""Names, paths and media types of files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.types.file_name import clean_file_name
from app.kit.types.file_path import OutsideRootError, path_inside
from app.kit.types.media_type import ParsedMediaType, parse_media_type
from tests.kit.types.samples import STRINGS, refuses

UNUSABLE_NAMES = ["", ".", "..", "a\0b", "a\nb", "a\u2028b", "/", " . ", "\u202e\u200b", "a/..", "x" * 256]
NAMES = st.from_regex("[a-z]{1,9}", fullmatch=True)
VALUES = st.from_regex("[\t -~]{0,20}", fullmatch=True)
ANY_TEXT = st.text(st.characters(codec="utf-8"), max_size=60)


class TestFileName:
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
            ("\u732b.png", "\u732b.png"),
            ("x" * 240 + ".jpeg", "x" * 195 + ".jpeg"),
            ("x." + "y" * 240, "x." + "y" * 198),
            ("\u732b" * 250, "\u732b" * 85),
            ("\u732b" * 250 + ".png", "\u732b" * 83 + ".png"),
            ("e\ufeff\u0301.txt", "\u00e9.txt"),
            ("a.\u00a0.\u00a0.\u00a0.", "a"),
            ("COM\u00b9.txt", "_COM\u00b9.txt"),
            ("conin$", "_conin$"),
        ],
        ids=ascii,
    )
    def test_is_cleaned(self, typed: str, name: str) -> None:
        assert STRINGS["FileName"].validate_python(typed) == name
        assert clean_file_name(name) == name

    @pytest.mark.parametrize(
        "typed", ["", ".", "..", "a\0b", "a\nb", "a\u2028b", "/", " . ", "\u202e\u200b", "a/..", "x" * 256], ids=ascii
    )
    def test_an_unusable_name_is_refused(self, typed: str) -> None:
        assert refuses(STRINGS["FileName"], typed)


class TestMediaType:
    @pytest.mark.parametrize(
        ("sent", "kept"),
        [
            ("Image/PNG", "image/png"),
            ("text/html;Charset=UTF-8", "text/html; charset=UTF-8"),
            ("video/webm;codecs=vp8,opus", 'video/webm; codecs="vp8,opus"'),
            ('text/plain; a="b\\"c\\\\" ;; d=e', 'text/plain; a="b\\"c\\\\"; d=e'),
            ('text/plain; a=""', 'text/plain; a=""'),
            ("text/plain;", "text/plain"),
            ("application/vnd.api+json", "application/vnd.api+json"),
        ],
    )
    def test_is_kept_in_its_canonical_form(self, sent: str, kept: str) -> None:
        assert STRINGS["MediaType"].validate_python(sent) == kept

    @pytest.mark.parametrize(
        "value",
        ["", "image", "/png", "image/", "a/b/c", "a /b", ";a=b", "a/b;c", "a/b;=c", "a/b;c=", 'a/b;c="d', "a/b;c=d;C=e",
         "a/b;\r\nX: y", "a/b;c=\xe9", 'a/b;c="\0"', "*/*", "\xe4/b", "a/b, c/d"],
        ids=ascii,
    )  # fmt: skip
    def test_refuses_invalid_media_types(self, value: str) -> None:
        assert refuses(STRINGS["MediaType"], value)

    @given(st.dictionaries(NAMES, VALUES, max_size=3))
    def test_parameters_are_read_back(self, parameters: dict[str, str]) -> None:
        media_type = ParsedMediaType("text/plain", parameters)
        assert parse_media_type(str(media_type)) == media_type


class TestRelativePath:
    @pytest.mark.parametrize(
        "value", ["con", "a/NUL.txt", "aux/b", "com1.tar.gz", "lpt\xb9", "a/CONIN$", "prn .a"], ids=ascii
    )
    def test_refuses_devices_of_windows(self, value: str) -> None:
        assert refuses(STRINGS["RelativePath"], value)

    @pytest.mark.parametrize("value", ["console", "a/nul-1.txt", "com10", "xaux/a"])
    def test_accepts_names_that_only_resemble_devices(self, value: str) -> None:
        assert STRINGS["RelativePath"].validate_python(value) == value

    @pytest.mark.parametrize(
        "value",
        ["/etc/passwd", "..", "a/../b", "a/./b", "a//b", "a/", "a\\b", "C:a", "a.", "a /b", "a/ b", "a\0",
         "a\nb", "\ud800",          "\xe4" * 128, "a/" * 200 + "b", "a\u202eb"],
        ids=ascii,
    )  # fmt: skip
    def test_refuses_paths_that_lead_elsewhere(self, value: str) -> None:
        assert refuses(STRINGS["RelativePath"], value)

    @given(value=ANY_TEXT)
    def test_every_accepted_path_stays_inside(self, tmp_path_factory: pytest.TempPathFactory, value: str) -> None:
        root = tmp_path_factory.getbasetemp()
        try:
            path = path_inside(root, value)
        except ValueError:
            return
        assert path.is_relative_to(root.resolve())
        assert path != root.resolve()

    def test_symbolic_links_are_refused(self, tmp_path: Path) -> None:
        root = tmp_path / "root"
        (root / "folder").mkdir(parents=True)
        (root / "out").symlink_to(tmp_path)
        (root / "in").symlink_to(root / "folder")
        (root / "loop").symlink_to(root / "loop")
        assert path_inside(root, "folder/new.txt") == root.resolve() / "folder" / "new.txt"
        for value in ("out/secret", "in/a.txt", "loop"):
            with pytest.raises(OutsideRootError):
                path_inside(root, value)
