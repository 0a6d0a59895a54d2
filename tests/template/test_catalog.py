"""The catalog and the files of the template fit each other."""

import subprocess
from pathlib import Path

import pytest
from omnistack.prove.checks.direction import SHARED_FOLDERS
from omnistack.template.catalog import Piece, load_catalog

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "template"
CATALOG = load_catalog(ROOT)


def test_every_path_of_a_piece_exists() -> None:
    missing = {
        (piece.name, path)
        for piece in CATALOG.pieces
        for path in piece.paths
        if not (TEMPLATE / path).exists() and not (TEMPLATE / f"{path}.jinja").exists()
    }
    assert missing == set()


def test_every_path_has_one_owner() -> None:
    owners: dict[str, str] = {}
    for piece in CATALOG.pieces:
        for path in piece.paths:
            assert path not in owners, f"{path} belongs to {owners[path]} and to {piece.name}"
            owners[path] = piece.name


def test_the_paths_of_a_piece_lie_in_no_folder_of_a_piece_that_can_go_without_it() -> None:
    for piece in CATALOG.pieces:
        for other in CATALOG.pieces:
            inside = any(
                path.startswith(f"{folder}/") for path in piece.paths for folder in set(other.paths) - SHARED_FOLDERS
            )
            if inside and other.name != piece.name:
                assert other.always or other.name in CATALOG.requires(piece.name)


def test_a_setting_is_described_once() -> None:
    names = [setting.name for piece in CATALOG.pieces for setting in piece.settings]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("piece", CATALOG.pieces, ids=lambda piece: piece.name)
def test_a_piece_speaks_plainly(piece: Piece) -> None:
    assert piece.help.endswith(".")
    assert all(setting.help.endswith((".", ":")) for setting in piece.settings)
    assert piece.module is None or (TEMPLATE / "app" / piece.module / "module.py").is_file()


def test_the_template_passes_ruff_as_it_lies() -> None:
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            ["ruff", *command, "--no-cache", str(TEMPLATE)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout
