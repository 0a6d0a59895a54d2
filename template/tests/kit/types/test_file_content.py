"""Detection of a file's type by its first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.kit.types.file_content import detect_type, sniff

STARTS = {
    "image/png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "image/jpeg": b"\xff\xd8\xff\xe0\0\x10JFIF",
    "image/gif": b"GIF89a\1\0",
    "image/webp": b"RIFF\1\0\0\0WEBPVP8 ",
    "audio/wav": b"RIFF\1\0\0\0WAVEfmt ",
    "video/mp4": b"\0\0\0\x20ftypisom",
    "video/quicktime": b"\0\0\0\x14ftypqt  ",
    "application/pdf": b"%PDF-1.7\n",
    "application/zip": b"PK\3\4\x14\0",
    "application/gzip": b"\x1f\x8b\x08\0",
    "audio/mpeg": b"ID3\4\0\0",
}
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.mark.parametrize("content_type", STARTS)
def test_a_type_is_detected_by_its_first_bytes(content_type: str) -> None:
    start = STARTS[content_type]

    assert sniff(start) == content_type
    assert detect_type(content_type, start) == content_type
    assert detect_type("application/octet-stream", start) == content_type


@pytest.mark.parametrize("content_type", STARTS)
def test_a_file_with_other_first_bytes_is_refused(content_type: str) -> None:
    for other, start in STARTS.items():
        if other != content_type and {other, content_type} != {"video/mp4", "video/quicktime"}:
            assert detect_type(content_type, start) is None
    assert content_type == "audio/mpeg" or detect_type(content_type, b"plain text") is None


def test_office_files_are_archives() -> None:
    assert detect_type(DOCX, STARTS["application/zip"]) == DOCX
    assert detect_type(DOCX, b"plain text") is None


@pytest.mark.parametrize("start", [b"<html>", b"  <!DOCTYPE html>", b"\xef\xbb\xbf<?xml", b"x<script>"])
def test_html_is_not_accepted_as_an_image(start: bytes) -> None:
    assert detect_type("image/x-icon", start) is None
    assert detect_type("text/html", start) == "text/html"


@pytest.mark.parametrize("declared", ["image/png; q=1", "Image/PNG", "image/png ;"])
def test_parameters_and_case_do_not_hide_a_type(declared: str) -> None:
    assert detect_type(declared, b"\x89PNG\r\n\x1a\n") == declared
    assert detect_type(declared, b"anything else") is None


def test_text_with_nul_bytes_is_refused() -> None:
    assert detect_type("text/plain", b"BM is how this begins, as do MZ and ID3") == "text/plain"
    assert detect_type("text/csv", b"a,b\n1,2") == "text/csv"
    assert detect_type("text/plain", b"a\0b") is None


def test_an_unknown_type_is_kept_as_declared() -> None:
    assert detect_type("application/octet-stream", b"\1\2\3") == "application/octet-stream"
    assert detect_type("model/stl", b"solid") == "model/stl"
    assert detect_type("model/stl", b"") == "model/stl"


@given(st.binary(max_size=40))
def test_a_detected_type_never_contradicts_its_bytes(start: bytes) -> None:
    found = sniff(start)
    assert detect_type("application/octet-stream", start) == (found or "application/octet-stream")
    assert found is None or detect_type(found, start) == found
