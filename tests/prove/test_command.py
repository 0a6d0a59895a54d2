"""`omnistack prove`."""

import json

import pytest
from omnistack.cli import run
from omnistack.prove.source import Source


def test_tells_how_many_answer_sets_are_proved(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "--template", str(source.root)]) == 0
    assert "valid answer sets" in capsys.readouterr().out


def test_gives_everything_as_json(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "--json", "--template", str(source.root)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["answer_sets"] >= document["projects"] > 0
    assert document["findings"] == []


def test_exits_with_1_and_shows_where(
    source: Source, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("template")
    path = "template/app/main.py"
    source.changed({path: f"import app.projects.models\n{source.text(path)}"}).write(folder)
    assert run(["prove", "--template", str(folder)]) == 1
    said = capsys.readouterr().out
    assert f"{path}:1: imports app.projects.models, which is not there" in said
    assert "copier copy -d preset=custom" in said
