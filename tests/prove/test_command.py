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
    assert f"{path}:1: imports app.projects.models, which does not exist" in said
    assert "copier copy -d preset=custom" in said


def test_renders_a_sample_whose_seed_is_told(source: Source, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["prove", "--sample", "6", "--seed", "mine", "--template", str(source.root)]) == 0
    assert "rendered: a sample of 6 answer sets, no differences, seed mine" in capsys.readouterr().out


def test_seeds_no_faults_where_there_are_some(
    source: Source, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path_factory.mktemp("template")
    path = "template/app/main.py"
    source.changed({path: f"import app.projects.models\n{source.text(path)}"}).write(folder)
    assert run(["prove", "--mutants", "--template", str(folder)]) == 1
    told = capsys.readouterr()
    assert "1 fault found in" in told.out
    assert "correct the findings first" in told.err
