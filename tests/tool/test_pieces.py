"""The catalog and the questions, as the tool reads them."""

import shutil
from pathlib import Path

import pytest
from omnistack.shell.errors import OmniError
from omnistack.template.catalog import load_catalog

from tests.conftest import CHECKOUT


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A template's folder: questions and catalog only."""
    (tmp_path / "extensions").mkdir()
    shutil.copytree(CHECKOUT / "extensions/catalog", tmp_path / "extensions/catalog")
    shutil.copy2(CHECKOUT / "copier.yml", tmp_path)
    return tmp_path


def test_pieces_are_sorted_by_name() -> None:
    names = load_catalog(CHECKOUT).names
    assert list(names) == sorted(names)
    assert {"core", "auth", "users", "projects", "custom", "supabase", "clerk"} <= set(names)


def test_every_piece_can_be_looked_up() -> None:
    catalog = load_catalog(CHECKOUT)
    assert all(catalog.piece(name).name == name and name in catalog for name in catalog.names)


def test_an_unknown_piece_is_an_error_with_a_suggestion() -> None:
    with pytest.raises(OmniError, match=r"no piece 'project'\. did you mean projects"):
        load_catalog(CHECKOUT).piece("project")


def test_requirements_are_followed_to_the_end() -> None:
    catalog = load_catalog(CHECKOUT)
    assert set(catalog.requires("projects")) >= {"users", "auth", "core"}
    assert "projects" in catalog.required_by("core")
    for name in catalog.names:
        assert all(name in catalog.required_by(required) for required in catalog.requires(name))


def test_providers_are_found_by_port() -> None:
    assert [piece.name for piece in load_catalog(CHECKOUT).providers("auth")] == ["clerk", "custom", "supabase"]


def test_questions_come_from_copier_yml_without_the_computed_ones() -> None:
    catalog = load_catalog(CHECKOUT)
    assert next(iter(catalog.questions)) == "project_name"
    assert {"catalog", "chosen"}.isdisjoint(catalog.questions)
    assert catalog.questions["python_version"].values == ("3.12", "3.13", "3.14")
    assert catalog.questions["projects"].values == (True, False)
    assert catalog.questions["project_name"].values == ()
    assert [choice.value for choice in catalog.questions["auth"].choices] == ["custom", "supabase", "clerk"]
    assert catalog.presets == ("minimal", "saas", "mobile", "ai", "everything", "custom")


def test_the_label_of_a_preset_names_its_pieces() -> None:
    catalog = load_catalog(CHECKOUT)
    labels = {choice.value: choice.label for choice in catalog.questions["preset"].choices}
    for preset in set(catalog.presets) - {"custom"}:
        pieces = ", ".join(piece.label for piece in catalog.preset_pieces(preset))
        assert labels[preset].partition(": ")[2] == pieces, f"write this label into copier.yml: {pieces}"


def test_every_choice_of_a_port_is_a_provider_and_the_other_way_round() -> None:
    catalog = load_catalog(CHECKOUT)
    for port in {piece.port for piece in catalog.pieces if piece.port}:
        assert {piece.name for piece in catalog.providers(port)} == set(catalog.questions[port].values) - {"none"}


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("label: Projects\n", "", "projects.yml: label: Field required"),
        ("kind: module", "kind: modul", "projects.yml: kind: Input should be 'module'"),
        ("owns: []", "owns: []\nowned: []", "projects.yml: owned: Extra inputs are not permitted"),
        ("always: false", "always: no please", "projects.yml: always: Input should be a valid boolean"),
        ("requires: [core, users]", "requires: users", "projects.yml: requires: Input should be a valid list"),
        ("requires: [core, users]", "requires: [core, user]", "'user', which is not a piece. did you mean users?"),
        ("name: projects", "name: project", "projects.yml: name: 'project' is not the file's name"),
        ("name: projects", "name: [", "projects.yml is not valid YAML"),
    ],
)
def test_a_bad_document_names_the_file_and_the_field(root: Path, old: str, new: str, says: str) -> None:
    file = root / "extensions/catalog/projects.yml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
    with pytest.raises(OmniError) as caught:
        load_catalog(root)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_bad_setting_is_named_by_its_place(root: Path) -> None:
    file = root / "extensions/catalog/core.yml"
    file.write_text(file.read_text().replace("    generate: true", "    generated: true"))
    with pytest.raises(OmniError, match=r"core\.yml: settings\.\d+\.generated: Extra inputs"):
        load_catalog(root)


def test_a_folder_without_pieces_is_no_template(tmp_path: Path) -> None:
    with pytest.raises(OmniError, match="has no extensions/catalog"):
        load_catalog(tmp_path)


def test_a_port_whose_providers_have_questions_of_their_own_is_no_question() -> None:
    catalog = load_catalog(CHECKOUT)
    assert [catalog.piece(name).question for name in ("openai", "anthropic", "gemini")] == [
        "openai",
        "anthropic",
        "gemini",
    ]
    assert catalog.piece("ai").is_port
    assert catalog.piece("ai").question is None
    assert not catalog.piece("users").is_port
