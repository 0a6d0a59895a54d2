"""Templates."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from jinja2 import UndefinedError

from app.email.commands import email
from app.email.rendering import FOLDER, Templates, UnknownTemplateError, check_link, greeting_name

NAMES = ["notification", "password_reset", "welcome"]
BAD_LINKS = [
    "",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "//example.com",
    "/path",
    "https://",
    'https://example.com/" onclick="x',
    "https://example.com/a b",
    "https://example.com/\nx",
    "https://example.com/<x>",
]


@pytest.fixture
def templates() -> Templates:
    return Templates("Test & Co")


def own(folder: Path, *, html: str = "", text: str = "") -> Templates:
    """Templates of which one is called `own`."""
    for name in ("base.html", "base.txt", "parts.html"):
        (folder / name).write_text((FOLDER / name).read_text())
    (folder / "own.html").write_text(html)
    (folder / "own.txt").write_text(text)
    (folder / "own.json").write_text(json.dumps({"subject": "Own", "data": {}}))
    return Templates("Test", folder)


def test_there_are_those_that_are_promised(templates: Templates) -> None:
    assert set(NAMES) <= set(templates.names)


@pytest.mark.every_module
def test_each_has_both_forms_and_a_sample_that_fills_them(templates: Templates) -> None:
    for name in templates.names:
        sample = templates.sample(name)
        rendered = templates.render(name, sample.data, subject=sample.subject)

        assert rendered.html.startswith("<!doctype html>")
        assert f"<title>{sample.subject}</title>" in rendered.html
        assert "Test &amp; Co" in rendered.html
        assert "Test & Co" in rendered.text
        assert "<" not in rendered.text
        assert "{{" not in rendered.html + rendered.text


def test_html_is_escaped_and_plain_text_is_not(templates: Templates) -> None:
    evil = "<script>alert('1')</script> & co"
    data = {"name": evil, "title": evil, "paragraphs": [evil], "url": "https://example.com/?a=1&b=2", "label": evil}
    rendered = templates.render("notification", data, subject=evil)

    assert "<script" not in rendered.html
    assert rendered.html.count("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; co") == 6
    assert 'href="https://example.com/?a=1&amp;b=2"' in rendered.html
    assert rendered.text.count(evil) == 4


def test_a_notification_needs_no_link(templates: Templates) -> None:
    data = {"name": None, "title": "News", "paragraphs": ["One.", "Two."], "url": None, "label": None}
    rendered = templates.render("notification", data, subject="News")

    assert "<a " not in rendered.html
    assert rendered.text.splitlines()[:7] == ["Hello,", "", "News", "", "One.", "", "Two."]


@pytest.mark.parametrize("url", BAD_LINKS, ids=ascii)
def test_what_is_no_link_is_refused(templates: Templates, url: str) -> None:
    with pytest.raises(ValueError, match="A link in a mail"):
        check_link(url)
    with pytest.raises(ValueError, match="A link in a mail"):
        templates.render("password_reset", {"name": None, "url": url, "minutes": 5}, subject="Hello")


def test_what_a_template_does_not_get_is_an_error(templates: Templates) -> None:
    with pytest.raises(UndefinedError, match="name"):
        templates.render("welcome", {}, subject="Hello")


@pytest.mark.parametrize("name", ["other", "base", "parts", "../rendering", "welcome.html", ""])
def test_what_is_no_template_is_told_so(templates: Templates, name: str) -> None:
    with pytest.raises(UnknownTemplateError, match=f"there are {', '.join(templates.names)}"):
        templates.render(name, {}, subject="Hello")
    with pytest.raises(UnknownTemplateError):
        templates.sample(name)


def test_a_template_of_ones_own_is_three_files(tmp_path: Path) -> None:
    templates = own(
        tmp_path,
        html='{% extends "base.html" %}{% block content %}<p>{{ subject }}</p>{% endblock %}',
        text='{% extends "base.txt" %}{% block content %}{{ subject }}{% endblock %}',
    )

    assert templates.names == ("own",)
    assert "<p>Own</p>" in templates.render("own", {}, subject="Own").html


@pytest.mark.parametrize(
    "name",
    [None, "", "Win at http://example.com", "https:", "www.example", "buy.example.com", "a@b", "<b>", "x" * 61],
)
def test_nobody_is_greeted_with_an_advertisement(name: str | None) -> None:
    assert greeting_name(name) is None


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "Dr. Ada", "J. R. R. Tolkien", "O'Brien", "Ädä", "李"])
def test_people_are_greeted_by_their_name(name: str) -> None:
    assert greeting_name(name) == name


class TestPreview:
    def test_writes_both_forms(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(email, ["preview", "welcome", "--output", str(tmp_path / "new" / "folder")])

        assert result.exit_code == 0, result.output
        written = [Path(line) for line in result.output.splitlines()]
        assert [path.name for path in written] == ["welcome.html", "welcome.txt"]
        assert "Welcome to Test" in written[0].read_text()
        assert "Hello Ada Lovelace," in written[1].read_text()

    def test_names_what_there_is(self, tmp_path: Path, templates: Templates) -> None:
        result = CliRunner().invoke(email, ["preview", "other", "--output", str(tmp_path)])

        assert result.exit_code == 2
        assert f"there are {', '.join(templates.names)}" in result.output
        assert list(tmp_path.iterdir()) == []
