"""Rendering of templates."""

import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner
from jinja2 import UndefinedError

from app.core.commands import CommandLine
from app.core.manifest import Module
from app.email import rendering
from app.email.commands import email
from app.email.rendering import FOLDER, Templates, UnknownTemplateError, absolute_link, greeting_name, template_folders
from app.email.template_files import InvalidTemplateError
from app.modules import MODULES

OWN_HTML = '{% extends "base.html" %}{% block content %}<p>{{ subject }}</p>{% endblock %}'
OWN_TEXT = '{% extends "base.txt" %}{% block content %}{{ subject }}{% endblock %}'
NAMES = ["notification", "password_reset", "welcome"]
BASE_URL = "https://api.example.com"
INVALID_LINKS = [
    "",
    "javascript:alert(1)",
    "JavaScript:alert(1)",
    "data:text/html,x",
    "//example.com",
    "/\\\\example.com",
    "path",
    "https://",
    'https://example.com/" onclick="x',
    "https://example.com/a b",
    "https://example.com/\nx",
    "https://example.com/\0x",
    "https://example.com/\u202ex",
    "https://example.com/<x>",
]


@pytest.fixture
def templates() -> Templates:
    return Templates("Test & Co", base_url=BASE_URL)


def own(folder: Path, *, html: str, text: str) -> Templates:
    """Templates of which one, `own`, is in another module's folder."""
    (folder / "own.html").write_text(html)
    (folder / "own.txt").write_text(text)
    (folder / "own.json").write_text(json.dumps({"subject": "Own", "data": {}}))
    return Templates("Test", base_url=BASE_URL, folders=(FOLDER, folder))


def test_the_documented_templates_exist(templates: Templates) -> None:
    assert set(NAMES) <= set(templates.names)


@pytest.mark.every_module
def test_every_template_of_every_module_renders_with_its_sample() -> None:
    templates = Templates("Test", base_url=BASE_URL, folders=template_folders(module.name for module in MODULES))
    for name in templates.names:
        sample = templates.sample(name)
        rendered = templates.render(name, sample.data, subject=sample.subject)

        assert rendered.html.strip()
        assert rendered.text.strip()


def test_the_documented_templates_have_the_layout_in_both_forms(templates: Templates) -> None:
    for name in NAMES:
        sample = templates.sample(name)
        rendered = templates.render(name, sample.data, subject=sample.subject)

        assert rendered.html.startswith("<!doctype html>")
        assert f"<title>{sample.subject}</title>" in rendered.html
        assert "Test &amp; Co" in rendered.html
        assert "Test & Co" in rendered.text
        assert "<" not in rendered.text
        assert "{{" not in rendered.html + rendered.text


def test_escapes_html_but_not_plain_text(templates: Templates) -> None:
    evil = "<script>alert('1')</script> & co"
    data = {"name": evil, "title": evil, "paragraphs": [evil], "url": "https://example.com/?a=1&b=2", "label": evil}
    rendered = templates.render("notification", data, subject=evil)

    assert "<script" not in rendered.html
    assert rendered.html.count("&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp; co") == 6
    assert 'href="https://example.com/?a=1&amp;b=2"' in rendered.html
    assert rendered.text.count(evil) == 4


def test_a_notification_can_have_no_link(templates: Templates) -> None:
    data = {"name": None, "title": "News", "paragraphs": ["One.", "Two."], "url": None, "label": None}
    rendered = templates.render("notification", data, subject="News")

    assert "<a " not in rendered.html
    assert rendered.text.splitlines()[:7] == ["Hello,", "", "News", "", "One.", "", "Two."]


@pytest.mark.parametrize("url", INVALID_LINKS, ids=ascii)
def test_rejects_an_invalid_link(templates: Templates, url: str) -> None:
    with pytest.raises(ValueError, match="A link in an email"):
        absolute_link(url, base_url=BASE_URL)
    with pytest.raises(ValueError, match="A link in an email"):
        templates.render("password_reset", {"name": None, "url": url, "minutes": 5}, subject="Hello")


def test_a_missing_variable_is_an_error(templates: Templates) -> None:
    with pytest.raises(UndefinedError, match="name"):
        templates.render("welcome", {}, subject="Hello")


@pytest.mark.parametrize("name", ["other", "base", "parts", "../rendering", "welcome.html", ""])
def test_names_the_available_templates_for_an_unknown_name(templates: Templates, name: str) -> None:
    with pytest.raises(UnknownTemplateError, match=r"Available: .*notification, .*password_reset, .*welcome"):
        templates.render(name, {}, subject="Hello")
    with pytest.raises(UnknownTemplateError):
        templates.sample(name)


def test_a_module_can_have_templates(tmp_path: Path) -> None:
    templates = own(tmp_path, html=OWN_HTML, text=OWN_TEXT)

    assert {*NAMES, "own"} <= set(templates.names)
    assert "<p>Own</p>" in templates.render("own", {}, subject="Own").html


def test_templates_of_modules_are_found_by_their_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendering, "PACKAGE", tmp_path)
    (tmp_path / "invoices" / "templates").mkdir(parents=True)
    (tmp_path / "orders").mkdir()

    assert template_folders(["users", "email", "invoices", "orders"]) == (FOLDER, tmp_path / "invoices" / "templates")


def test_a_path_becomes_a_link_below_the_public_url(templates: Templates) -> None:
    rendered = templates.render("password_reset", {"name": None, "url": "/reset?token=1", "minutes": 5}, subject="Hi")

    assert "\nhttps://api.example.com/reset?token=1\n" in rendered.text
    assert 'href="https://api.example.com/reset?token=1"' in rendered.html


def test_the_footer_mentions_an_account_only_if_there_is_one(templates: Templates) -> None:
    data = {"name": None, "title": "News", "paragraphs": ["One."], "url": None, "label": None}
    with_account = templates.render("notification", {**data, "has_account": True}, subject="News")
    without = templates.render("notification", data, subject="News")

    for form in (with_account.text, with_account.html):
        assert "because you have an account at Test" in form
    for form in (without.text, without.html):
        assert "account" not in form
        assert "This email was sent by Test" in form


def test_an_empty_text_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InvalidTemplateError, match=r"own\.txt rendered to an empty text"):
        own(tmp_path, html=OWN_HTML, text="{% if false %}Hello{% endif %}").render("own", {}, subject="Own")


@pytest.mark.parametrize(
    "name",
    [None, "", "Win at http://example.com", "https:", "www.example", "buy.example.com", "a@b", "<b>", "x" * 61],
)
def test_a_greeting_contains_no_advertisement(name: str | None) -> None:
    assert greeting_name(name) is None


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "Dr. Ada", "J. R. R. Tolkien", "O'Brien", "Ädä", "李"])
def test_a_greeting_contains_the_name(name: str) -> None:
    assert greeting_name(name) == name


class TestPreview:
    def test_writes_both_forms_of_a_template(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(email, ["preview", "welcome", "--output", str(tmp_path / "new" / "folder")])

        assert result.exit_code == 0, result.output
        written = [Path(line) for line in result.output.splitlines()]
        assert [path.name for path in written] == ["welcome.html", "welcome.txt"]
        assert "Welcome to Test" in written[0].read_text()
        assert "Hello Ada Lovelace," in written[1].read_text()

    def test_shows_the_templates_of_modules(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = tmp_path / "invoices" / "templates"
        folder.mkdir(parents=True)
        own(folder, html=OWN_HTML, text=OWN_TEXT)
        monkeypatch.setattr(rendering, "PACKAGE", tmp_path)
        command_line = CommandLine(modules=(Module(name="invoices"),), database=nullcontext)
        output = str(tmp_path / "preview")
        result = CliRunner().invoke(email, ["preview", "own", "--output", output], obj=command_line)

        assert result.exit_code == 0, result.output
        assert "<p>Own</p>" in (tmp_path / "preview" / "own.html").read_text()

    def test_explains_an_invalid_template(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        folder = tmp_path / "invoices" / "templates"
        folder.mkdir(parents=True)
        own(folder, html=OWN_HTML, text=OWN_TEXT.replace("subject", "number"))
        monkeypatch.setattr(rendering, "PACKAGE", tmp_path)
        command_line = CommandLine(modules=(Module(name="invoices"),), database=nullcontext)
        result = CliRunner().invoke(email, ["preview", "own"], obj=command_line)

        assert result.exit_code == 1
        assert "own: 'number' is undefined" in result.output

    def test_names_the_available_templates(self, tmp_path: Path) -> None:
        result = CliRunner().invoke(email, ["preview", "other", "--output", str(tmp_path)])

        assert result.exit_code == 2
        assert "Available: " in result.output
        assert "password_reset" in result.output
        assert list(tmp_path.iterdir()) == []
