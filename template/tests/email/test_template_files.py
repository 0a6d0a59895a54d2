"""The checks of template files at start."""

import json
from pathlib import Path

import pytest

from app.email.rendering import FOLDER
from app.email.template_files import InvalidTemplateError, read_samples

HTML = '{% extends "base.html" %}{% block content %}<p>Hello</p>{% endblock %}'
TEXT = '{% extends "base.txt" %}{% block content %}Hello{% endblock %}'
SAMPLE = json.dumps({"subject": "Own", "data": {}})


def write(folder: Path, **files: str) -> tuple[Path, ...]:
    """Write a template `own`, with other content for some of its files, and return all folders."""
    for suffix, content in ({"html": HTML, "txt": TEXT, "json": SAMPLE} | files).items():
        (folder / f"own.{suffix}").write_text(content)
    return (FOLDER, folder)


def test_accepts_a_template_of_three_files(tmp_path: Path) -> None:
    samples = read_samples(write(tmp_path))

    assert (samples["own"].subject, samples["own"].data) == ("Own", {})


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"html": HTML.replace("content", "body")}, r"own\.html: base\.html has no block 'body'.*content, footer"),
        ({"txt": TEXT.replace("content", "body")}, r"own\.txt: base\.txt has no block 'body'"),
        ({"txt": TEXT.replace("content", "footer")}, r"own\.txt defines no block 'content'"),
        ({"html": '{% extends "base.html" %}\n'}, r"own\.html defines no block 'content'"),
        ({"html": HTML + "\n<p>More</p>"}, r"own\.html, line 2: content outside a block"),
        ({"txt": TEXT + "\n{{ name }}"}, r"own\.txt, line 2: content outside a block"),
        ({"html": HTML.replace("base", "bass")}, r"own\.html extends bass\.html, which does not exist"),
        ({"html": HTML.replace("endblock", "end")}, r"own\.html, line 1: .*unknown tag 'end'"),
        ({"json": "{"}, r"own\.json is not valid JSON"),
        ({"json": "[]"}, r'own\.json needs a "subject"'),
        ({"json": '{"data": {}}'}, r'own\.json needs a "subject"'),
        ({"json": '{"subject": " ", "data": {}}'}, r'own\.json needs a "subject"'),
        ({"json": '{"subject": "a\\nb", "data": {}}'}, r'own\.json needs a "subject"'),
        ({"json": '{"subject": "Own"}'}, r'own\.json needs "data"'),
    ],
)
def test_names_the_file_and_the_fault(tmp_path: Path, files: dict[str, str], reason: str) -> None:
    with pytest.raises(InvalidTemplateError, match=reason):
        read_samples(write(tmp_path, **files))


@pytest.mark.parametrize("suffix", ["html", "txt"])
def test_both_forms_are_required(tmp_path: Path, suffix: str) -> None:
    folders = write(tmp_path)
    (tmp_path / f"own.{suffix}").unlink()
    with pytest.raises(InvalidTemplateError, match=rf"own\.json has no own\.{suffix} beside it"):
        read_samples(folders)


def test_a_name_is_used_once(tmp_path: Path) -> None:
    (tmp_path / "welcome.html").write_text(HTML)
    with pytest.raises(InvalidTemplateError, match=r"welcome\.html has the same name as .*Rename one"):
        read_samples((FOLDER, tmp_path))


def test_a_template_can_extend_a_layout_of_its_module(tmp_path: Path) -> None:
    layout = '{% extends "base.html" %}{% block content %}{% block figures %}{% endblock %}{% endblock %}'
    (tmp_path / "report.html").write_text(layout)
    child = '{% extends "report.html" %}{% set total = 3 %}{% block figures %}{{ total }}{% endblock %}'

    assert "own" in read_samples(write(tmp_path, html=child))
