"""What the user has built is there, unchanged, after every command."""

import tomllib

import pytest

from tests.updates.own import PACKAGE, add_own_module, add_own_package
from tests.updates.workshop import ENV, MakeProject, Project, Repository

REVISION = "migrations/versions/app/app_0001_invoices.py"


def packages(made: Project) -> list[str]:
    found: list[str] = tomllib.loads(made.read("pyproject.toml"))["project"]["dependencies"]
    return found


@pytest.mark.parametrize(
    "command",
    [["update"], ["add", "clerk", "cron"], ["remove", "projects", "--yes"]],
    ids=lambda command: str(command[0]),
)
def test_own_modules_settings_migrations_packages_and_edits_survive(project: MakeProject, command: list[str]) -> None:
    made = project()
    own = add_own_module(made)
    own += [made.write(path, text).relative_to(made.root).as_posix() for path, text in (
        (REVISION, '"""Mine."""\n'), ("tests/invoices/test_mine.py", "# mine\n"), ("Procfile", "web: app serve\n"),
    )]  # fmt: skip
    add_own_package(made)
    readme = made.read("README.md")
    made.write("README.md", f"{readme}\n## My own chapter\n")
    made.commit("Mine")
    before = {path: made.read(path) for path in own}
    ran = made.omnistack(*command)
    assert ran.status == 0, ran.text
    assert {path: made.read(path) for path in own} == before
    assert made.read("README.md").endswith("\n## My own chapter\n")
    assert PACKAGE.strip('"') in packages(made)
    assert made.read(".env") == ENV
    assert not {path for path in own if path in made.git("diff", "--staged", "--name-only").split()}


def test_a_package_that_comes_in_at_the_very_place_of_an_own_one_is_no_conflict(project: MakeProject) -> None:
    made = project()
    add_own_package(made)
    made.commit("humanize")
    ran = made.omnistack("add", "cron")
    assert ran.status == 0, ran.text
    found = packages(made)
    assert found.index("idna>=3") == found.index("humanize>=4") + 1
    assert sorted(found, key=str.lower) == found


def test_other_conflicts_in_the_same_file_stay(releases: Repository, project: MakeProject) -> None:
    made = project()
    add_own_package(made)
    made.edit("pyproject.toml", 'version = "0.1.0"\n', 'version = "7.0.0"\n')
    made.commit("Mine")
    template = releases.clone(made.root.parent / "template")
    template.edit("template/pyproject.toml.jinja", 'version = "0.1.0"\n', 'version = "0.2.0"\n')
    catalog = template.read("extensions/catalog/core.yml")
    template.write("extensions/catalog/core.yml", catalog.replace("dependencies:\n", "dependencies:\n  - idna>=3\n", 1))
    template.commit("Three", "v3.0.0")
    ran = made.omnistack("update", "--template", str(template.root))
    assert ran.status == 1
    assert "pyproject.toml:3" in ran.out
    text = made.read("pyproject.toml")
    assert text.count("<<<<<<<") == 1
    assert text.index(PACKAGE) < text.index('"idna>=3"')
    assert "UU pyproject.toml" in made.status
