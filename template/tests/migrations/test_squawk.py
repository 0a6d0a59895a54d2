"""squawk accepts every revision, your own included, and `app db lint` finds what it does not accept."""

from pathlib import Path

import pytest

from tests.cli.test_commands import app, refused
from tests.migrations.files import create, write_file


@pytest.mark.every_module
def test_every_revision_is_accepted() -> None:
    result = app("db", "lint")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("squawk accepts all ")


class TestProblems:
    CHANGE = 'op.drop_column("rows", "id")'

    @pytest.fixture(autouse=True)
    def table(self, folder: Path) -> None:
        write_file(folder, "aaa", None, create("rows"))

    def test_name_the_file_and_the_rule(self, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", self.CHANGE)
        message = refused(app("db", "lint"))
        assert "migrations/versions/app/bbb_.py: ban-drop-column: " in message
        assert 'accepted = {"ban-drop-column": "the reason"}' in message

    @pytest.mark.parametrize(
        ("accepted", "problem"),
        [
            ('{"ban-drop-column": " "}', "accepts ban-drop-column without a reason"),
            (
                '{"ban-drop-column": "Unused.", "renaming-table": "Why?"}',
                "accepts renaming-table, which it does not break",
            ),
        ],
    )
    def test_are_found_in_accept_markers(self, folder: Path, accepted: str, problem: str) -> None:
        write_file(folder, "bbb", "aaa", self.CHANGE, extra=f"accepted = {accepted}")
        assert problem in refused(app("db", "lint"))

    def test_are_none_if_they_are_accepted_with_a_reason(self, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", self.CHANGE, extra='accepted = {"ban-drop-column": "Unused."}')
        assert app("db", "lint").exit_code == 0

    def test_are_none_in_an_index_that_is_built_concurrently_in_an_autocommit_block(self, folder: Path) -> None:
        index = 'op.create_index("ix", "rows", ["id"], postgresql_concurrently=True)'
        write_file(folder, "bbb", "aaa", f"with op.get_context().autocommit_block():\n        {index}")
        assert app("db", "lint").exit_code == 0
        write_file(folder, "bbb", "aaa", index)
        assert "ban-concurrent-index-creation-in-transaction" in refused(app("db", "lint"))

    def test_include_code_that_reads_from_the_database(self, folder: Path) -> None:
        write_file(folder, "bbb", "aaa", 'list(op.get_bind().execute(sa.text("SELECT 1")))')
        assert "bbb cannot be shown without running it" in refused(app("db", "lint"))
