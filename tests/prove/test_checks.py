"""Each check, on the template with one thing wrong: where, what, and answers that show it."""

import re

import pytest
from omnistack.prove.finding import Finding
from omnistack.prove.proof import Proof, prove
from omnistack.prove.source import Source
from omnistack.shell.errors import OmniError
from omnistack.template.render import Renderer

MAIN = "template/app/main.py"
CORE = "extensions/catalog/core.yml"
COMPOSE = "template/compose.yaml.jinja"
PRODUCTION = "template/compose.production.yaml.jinja"
WORKFLOW = "template/.github/workflows/ci.yml.jinja"
EMAIL = "template/app/email/settings.py"
MAKEFILE = "template/Makefile.jinja"
REGISTRY = "template/app/storage/providers/registry.py.jinja"
REMOTE = "extensions/catalog/remote_storage.yml"
DATA_POLICY = "template/app/projects/data_policy.py"
REVISION = "template/migrations/versions/projects/projects_0001_projects.py"


def proved(known: Proof, changes: dict[str, str | None]) -> Proof:
    """Prove a changed template; what it has in common with the unchanged one is reused, as for seeded faults."""
    return prove(known.source.changed(changes), space=known.model.space if known.model else None, known=known)


def found_in(known: Proof, changes: dict[str, str | None], check: str) -> tuple[Proof, list[Finding]]:
    changed = proved(known, changes)
    return changed, [finding for finding in changed.findings if finding.check == check]


def appended(source: Source, path: str, text: str) -> dict[str, str | None]:
    return {path: f"{source.text(path)}{text}"}


def replaced(source: Source, path: str, old: str, new: str) -> dict[str, str | None]:
    text = source.text(path)
    assert re.search(old, text, re.MULTILINE), f"{old} is not in {path}"
    return {path: re.sub(old, new, text, count=1, flags=re.MULTILINE)}


def test_an_import_of_what_only_some_projects_have(source: Source, proof: Proof) -> None:
    changed, (finding, *rest) = found_in(proof, appended(source, MAIN, "\nimport app.projects.models\n"), "imports")
    assert not rest
    assert finding.file == MAIN
    assert finding.line == len(source.text(MAIN).split("\n")) + 1
    assert finding.message == "imports app.projects.models, which does not exist"
    # The default already shows it: projects is a piece that has a question.
    assert changed.counterexample(finding) == "-d preset=custom"


@pytest.mark.parametrize(
    "line",
    [
        "from app.users import nobody",
        "from app.users.models import Nobody",
        "def late() -> None:\n    from app.projects.models import Project\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from app.auth.providers.clerk import provider\n",
        "from app.core import errors\nerrors.NobodyError\n",
        "from app.users.models import *",
    ],
)
def test_imports_of_every_kind(source: Source, proof: Proof, line: str) -> None:
    assert found_in(proof, appended(source, MAIN, f"\n{line}\n"), "imports")[1]


def test_a_counterexample_is_a_project_that_shows_the_fault(source: Source, proof: Proof) -> None:
    changed, (finding, *_) = found_in(proof, appended(source, MAIN, "\nimport app.auth.providers.clerk\n"), "imports")
    given = dict(pair.split("=") for pair in changed.counterexample(finding).replace("-d ", "").split())
    files = Renderer(source.root).render(given)
    assert "app/auth/providers/clerk.py" not in files


FAULTS = [
    (CORE, r"^  - fastapi.*\n", "", "fastapi is not declared as a dependency"),
    (CORE, r"^  - asyncpg.*\n", "", "asyncpg is required"),
    (CORE, r"^dependencies:\n", "dependencies:\n  - leftpad>=1\n", "leftpad is declared, but nothing"),
    (CORE, r"name: LOG_LEVEL", "name: LOG_LEVELS", "LOG_LEVEL is not in .env.example"),
    (CORE, r"services: \[postgres\]", "services: []", "POSTGRES_PASSWORD"),
    ("extensions/catalog/projects.yml", r"requires: \[core, users\]", "requires: [core]", "does not require"),
    ("template/app/core/config/settings.py", r"^    DEBUG: .*\n", "", "DEBUG"),
    ("template/app/projects/module.py", r"^    router=router,\n", "", "are in no manifest"),
    ("template/app/projects/module.py", r"^    models=\(Project,\),\n", "", "Project is in no manifest's `models`"),
    ("template/app/projects/models.py", r'"users\.id"', '"user.id"', "the table user, which does not exist"),
    (REGISTRY, r"^\{\{ registry", "import app.main\n{{ registry", "never back"),
    (REGISTRY, r"^\{\{ registry", "import app.projects.module\n{{ registry", "not require"),
    (REMOTE, r"tests/storage/remote_settings\.py", "tests/storage/test_none.py", "no test imports it"),
    ("extensions/catalog/input_types.yml", r"^offers: .*\n", "", "no file of the application imports it"),
    ("extensions/catalog/toolbox.yml", r", resilience\]", "]", "offers code to users, but no collection"),
    ("extensions/catalog/resilience.yml", r"always: false", "always: true", "is `always`, but has no module"),
    ("extensions/catalog/property_tests.yml", r"^always: false", "always: true", "is `always`, but has no module"),
    (
        "extensions/catalog/audit_log.yml",
        r", users]",
        "]",
        "depends on the migrations of users, which its piece does not",
    ),
    ("extensions/catalog/impersonation.yml", r"^always: false", "always: true", "is `always`, but owns words"),
    (DATA_POLICY, r"^PERSONAL_DATA: .*\n", "PERSONAL_DATA = ()\n", "has a path to users, but no Personal"),
    (DATA_POLICY, r"^RETENTION: .*\n", "RETENTION = ()\n", "has soft-deleted rows, but no RetentionRule names it"),
    ("template/app/projects/module.py", r"^    personal_data=.*\n", "", "PERSONAL_DATA is in no manifest"),
    ("template/app/stripe/module.py", r"^    unmetered=True,\n", "", "needs `unmetered=True`: plans meters its routes"),
    (MAKEFILE, r"in piece\.processes", "in []", "lacks a line of what is chosen: worker:"),
    (MAKEFILE, r" \| selectattr\('name', 'in', chosen\)", "", "has a line of what is not chosen: worker:"),
    (COMPOSE, r"in piece\.processes", "in []", "has the process worker, which compose.yaml does not start"),
    (
        "template/config/deploy.yml.jinja",
        r"process in processes",
        "process in []",
        "lacks a line of what is chosen: worker: (within servers:)",
    ),
    ("template/fly.toml.jinja", r"process in processes", "process in []", 'chosen: worker = "app worker"'),
    ("template/render.yaml.jinja", r"process in processes", "process in []", "chosen: dockerCommand: app worker"),
    (
        COMPOSE,
        r" \| selectattr\('name', 'in', chosen\) \| selectattr\('proc",
        " | selectattr('proc",
        "starts worker, which",
    ),
    (MAKEFILE, r"^include \{\{ file \}\}\n", "", "lacks a line of what is chosen: include own-server/make.mk"),
    (
        PRODUCTION,
        r"^  \{\{ process\.name \}\}-green:",
        "  {{ process.name }}-red:",
        "lacks a line of what is chosen: worker-gr",
    ),
    (PRODUCTION, r"\$\{SERVER_IMAGE\}", "${SERVER_PICTURE}", "reads SERVER_PICTURE from .env"),
    (
        WORKFLOW,
        r"in catalog \| selectattr\('name', 'in', chosen\) ",
        "in catalog ",
        "has a line of what is not chosen: - run: sudo apt-get",
    ),
    (WORKFLOW, r"\{\{ piece\.runner\(\) -\}\}\n", "", "lacks a line of what is chosen: - run: sudo apt-get"),
    (
        "template/Dockerfile.jinja",
        r"^ENV \{\{ setting \}\}=\$RELEASE\n",
        "",
        "lacks a line of what is chosen: ENV SENTRY_RELEASE=$RELEASE",
    ),
    (
        "template/release.toml.jinja",
        r"^\[\{\{ piece\.name \}\}\]\n",
        "",
        "lacks a line of what is chosen: [sentry]",
    ),
    ("extensions/catalog/sentry.yml", r"rollback: \[\]", "rollback: [x]", "needs both `deploy` and `rollback`"),
    (
        CORE,
        r"release_settings: \[RELEASE\]",
        "release_settings: [RELEASES]",
        "RELEASES, which is not one of its settings",
    ),
    (WORKFLOW, r"pipeline\.contract ", "pipeline.contracts ", "runs app.dev.pipeline.contracts, which does not exist"),
    (
        "extensions/catalog/email_calls.yml",
        r"requires: \[email, console, ",
        "requires: [email, ",
        "names the provider console, which not",
    ),
    (
        EMAIL,
        r"^    EMAIL_FROM_NAME",
        "    DEBUG: bool = False\n    EMAIL_FROM_NAME",
        "DEBUG is also declared by another class",
    ),
    ("copier.yml", r'^    "Local disk".*\n', "", "is not a choice of storage"),
    (REVISION, r'"users_0001"', '"users_0099"', "users_0099, which does not exist"),
    (REVISION, r'\("users_0001",\)', '("core_0001",)', "which no earlier revision creates"),
    ("template/tests/conftest.py", r"^def settings\(", "def setting(", "uses the fixture settings"),
    ("template/README.md.jinja", r"\]\(docs/README\.md\)", "](docs/none.md)", "links to docs/none.md"),
    (MAIN, r"^", "# clerk\n", "contains the word 'clerk', which clerk owns"),
    (MAIN, r"^from app\.modules import MODULES\n", "", "uses MODULES, which is not defined"),
]


@pytest.mark.parametrize(("path", "old", "new", "said"), FAULTS)
def test_finds(proof: Proof, path: str, old: str, new: str, said: str) -> None:
    found = [finding.message for finding in proved(proof, replaced(proof.source, path, old, new)).findings]
    assert any(said in message for message in found), found


@pytest.mark.parametrize(("path", "old", "new", "said"), [FAULTS[5], FAULTS[10], FAULTS[-1]])
def test_a_complete_proof_finds_the_same(proof: Proof, path: str, old: str, new: str, said: str) -> None:
    changes = replaced(proof.source, path, old, new)
    complete = {
        (found.check, found.file, found.line, found.message) for found in prove(proof.source.changed(changes)).findings
    }
    reusing = {(found.check, found.file, found.line, found.message) for found in proved(proof, changes).findings}
    assert complete == reusing
    assert any(said in message for *_, message in complete)


def test_a_template_that_does_not_render_is_a_fault(source: Source, proof: Proof) -> None:
    changed = proved(proof, appended(source, "template/README.md.jinja", "{% if projects %}{{ nobody }}{% endif %}"))
    (finding,) = changed.findings
    assert "nobody is undefined" in finding.message
    assert "-d projects=true" in changed.counterexample(finding)


def test_a_line_that_names_every_set_of_pieces_is_refused(source: Source, proof: Proof) -> None:
    every = "{% for piece in catalog if piece.name in chosen %}{{ piece.name }}, {% endfor %}"
    with pytest.raises(OmniError, match=r"README\.md\.jinja: a line takes too many forms"):
        proved(proof, appended(source, "template/README.md.jinja", every))
