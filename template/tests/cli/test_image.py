"""The production image doesn't contain the files of `app/dev`: every other command works without them."""

from pathlib import Path

import pytest

from tests.databases import Databases
from tests.dev.project import Project, copy_project


@pytest.fixture
def image(tmp_path: Path) -> Project:
    """The application as the image contains it: the folders of `app/dev` are there, and empty."""
    project = copy_project(tmp_path)
    for path in (tmp_path / "app/dev").rglob("*.py"):
        path.unlink()
    return project


async def test_commands_work_on_the_database_that_the_settings_name(image: Project, databases: Databases) -> None:
    async with databases.empty() as url:
        variables = {"DATABASE_URL": url, "SECRET_KEY": "0123456789abcdef" * 4, "PROJECT_NAME": "Image"}
        upgraded = image.run("db", "upgrade", **variables)
        assert upgraded.returncode == 0, upgraded.stderr
        listed = image.run("inbox", "list", **variables)
        assert listed.returncode == 0, listed.stderr


def test_commands_without_a_database_ask_for_one(image: Project) -> None:
    done = image.run("db", "upgrade")
    assert done.returncode == 1
    assert "DATABASE_URL is not set" in done.stderr
    assert "Traceback" not in done.stderr
