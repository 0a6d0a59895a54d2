"""HTML from users."""

from html.parser import HTMLParser

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.kit.types import rich_text
from app.kit.types.rich_text import MAX_TAGS, TAGS, sanitize_html
from tests.kit.types.samples import STRINGS, refuses

HTML = STRINGS["Html"]
PARTS = st.sampled_from([
    "<script>", "</script>", "<svg>", "<math>", "<style>", "<img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>", "<a href=https://example.com>", "</a>", "<p onclick=x>", "<p>", "<b>",
    "&lt;script&gt;", "<!--", "-->", "<noscript>", "text", "<iframe src=//x>", "<textarea>", "<title>", "<template>",
    "<base href=//x>", "<form action=//x>", "\"'><b>", "&#13;", "\r\n", "&#xfeff;", "<pre>", "</pre>", "<button>",
    "<h2>", "<h3>", "<table>", "<td>", "<li>", "<dd>", "<applet>", "<select>", "</p>", "<ul>", "<em>", "<nobr>",
    "<a href=x>", "<a href=x onclick=x>",
])  # fmt: skip


class Elements(HTMLParser):
    """The elements of a text, each with its attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("<p>Hello <strong>Ada</strong></p>", "<p>Hello <strong>Ada</strong></p>"),
        ("<p onclick='x()' style='color:red' class='a'>a</p>", "<p>a</p>"),
        ("a<script>alert(1)</script>b<style>p{}</style>", "ab"),
        ("<h1>Title</h1>", "Title"),
        ("<img src=x onerror=alert(1)>", ""),
        ("<a href='javascript:alert(1)'>a</a>", '<a rel="noopener noreferrer nofollow">a</a>'),
        ("<a href='/me'>a</a>", '<a href="/me" rel="noopener noreferrer nofollow">a</a>'),
        (
            "<a href='https://example.com' onclick='x()' style='color:red' target='_blank' rel='opener' id='a'>a</a>",
            '<a href="https://example.com" rel="noopener noreferrer nofollow">a</a>',
        ),
        ("<a href='java&#x0A;script:x'>a</a>", '<a rel="noopener noreferrer nofollow">a</a>'),
        ("1 < 2 & 3", "1 &lt; 2 &amp; 3"),
        ("", ""),
        ("\ufeff\ufeff a", "a"),
        ("<pre>&#13;a</pre>", "<pre>\n\na</pre>"),
        ("<p>a&#13;&#10;b</p>", "<p>a\nb</p>"),
        ("<pre>\n\n\n<b>a</b></pre>", "<pre>\n\n\n<b>a</b></pre>"),
    ],
)
def test_only_the_listed_elements_remain(sent: str, kept: str) -> None:
    assert HTML.validate_python(sent) == kept
    assert HTML.validate_python(kept) == kept


@given(st.lists(PARTS, max_size=8).map("".join))
def test_no_active_content_remains(sent: str) -> None:
    parser = Elements()
    parser.feed(HTML.validate_python(sent))
    parser.close()
    for tag, attributes in parser.found:
        assert tag in TAGS
        assert attributes.keys() <= ({"href", "rel"} if tag == "a" else set())
        assert not (attributes.get("href") or "").startswith("javascript:")


@given(st.lists(PARTS, max_size=12).map("".join))
@example("<p><button><p>")
@example("<pre>&#13;a")
@example("<a><select><a>")
def test_sanitising_again_changes_nothing(sent: str) -> None:
    found = HTML.validate_python(sent)
    assert sanitize_html(found) == found
    assert HTML.validate_python(found) == found


def test_html_without_a_canonical_form_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rich_text, "MAX_PASSES", 2)
    assert refuses(HTML, "<p><button><p>")


def test_too_many_tags_and_a_too_long_result_are_refused() -> None:
    assert refuses(HTML, "<b>" * (MAX_TAGS + 1))
    assert refuses(HTML, "&" * 10_000)


@pytest.mark.parametrize("name", ["b", "FONT", "strong"])
def test_elements_that_every_paragraph_opens_again_are_limited(name: str) -> None:
    reopened = "<p>" + "".join(f"<{name} x{number}>" for number in range(900)) + "<p>x" * 900
    assert len(reopened) <= HTML.json_schema()["maxLength"]
    with pytest.raises(ValueError, match="formatting tags with attributes"):
        sanitize_html(reopened)
    assert not refuses(HTML, f"<p>a <{name} style=x>b</{name}></p>" * 200)
