"""A template with two releases, projects rendered from it, and the tool run on them."""

import io
import re
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import yaml
from omnistack import cli

ROOT = Path(__file__).resolve().parents[2]
V1, V2 = "v1.0.0", "v2.0.0"
ENV = "SECRET_KEY=a-secret-of-the-user-that-is-long-enough\n"
LINES = 30

# Pieces of every kind that the rules of `add` and `remove` tell apart, whatever the real catalog has at the time.
TOYS: dict[str, dict[str, object]] = {
    "sms_log": {"kind": "provider", "port": "sms"},
    "sms_http": {"kind": "provider", "port": "sms", "requires": ["sms_log"]},
    "clock": {"kind": "module"},
    "cron": {"kind": "module", "requires": ["clock"], "dependencies": ["idna>=3"]},
    "ledger": {"kind": "infrastructure", "paths": ["app/ledger", "migrations/versions/ledger"]},
    "shop": {"kind": "module", "requires": ["ledger"]},
    "left": {"kind": "module", "conflicts": ["right"]},
    "right": {"kind": "module"},
}
NEWSLETTER: dict[str, object] = {
    "kind": "module",
    "settings": [{"name": "NEWSLETTER_KEY", "help": "Opens the newsletter.", "default": ""}],
}
# The time of an update grows with the number of files. So most tests use the complete questionnaire and catalog, all
# wiring files, and these files and folders of the template. The slow tests use the complete template.
SMALL = (
    "app/__init__.py", "app/main.py", "app/project_modules.py", "app/project_roles.py", "app/auth/providers",
    "app/core/errors.py", "app/projects", "migrations/versions/projects", "tests/projects",
)  # fmt: skip
SMS_QUESTION = "sms:\n  type: str\n  help: Which sender?\n  choices: [none, sms_log, sms_http]\n  default: none\n\n"


class Repository:
    """A git repository on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=U", "-c", "user.email=u@example.com", *arguments]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self.git("init", "--quiet", "--initial-branch=main")
        self.commit("Start")

    def commit(self, message: str, tag: str = "") -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        if tag:
            self.git("tag", tag)
        return self.git("rev-parse", "HEAD").strip()

    def write(self, path: str, text: str) -> Path:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def read(self, path: str) -> str:
        return (self.root / path).read_text()

    def edit(self, path: str, old: str, new: str) -> None:
        text = self.read(path)
        assert old in text
        self.write(path, text.replace(old, new, 1))

    def files(self) -> dict[str, tuple[bytes, int]]:
        """Every file with its content and mode, also those that git ignores; without git's own."""
        return {
            file.relative_to(self.root).as_posix(): (file.read_bytes(), file.stat().st_mode)
            for file in sorted(self.root.rglob("*"))
            if file.is_file() and ".git" not in file.relative_to(self.root).parts
        }

    def clone(self, folder: Path) -> "Repository":
        subprocess.run(["git", "clone", "--quiet", self.root, folder], check=True)
        return Repository(folder)


type MakeProject = Callable[..., Project]


@dataclass(frozen=True)
class Ran:
    """A finished command."""

    status: int
    out: str
    err: str

    @property
    def text(self) -> str:
        return self.out + self.err


class Project(Repository):
    """A rendered project under git, with a `.env`."""

    def omnistack(self, command: str, *arguments: str) -> Ran:
        """Run the tool in this process on this project, without `uv sync`."""
        sync = [] if "--dry-run" in arguments else ["--no-sync"]
        return omnistack(command, "--project", str(self.root), *sync, *arguments)

    def answers(self) -> dict[str, str | bool]:
        document: dict[str, str | bool] = yaml.safe_load(self.read(".copier-answers.yml"))
        return document

    @property
    def status(self) -> str:
        return self.git("status", "--porcelain", "--untracked-files=all")


def omnistack(*arguments: str) -> Ran:
    """Run the tool in this process."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = cli.run(list(arguments))
    return Ran(status, out.getvalue(), err.getvalue())


def write_piece(template: Repository, name: str, **fields: object) -> None:
    """Add a piece with one file to a template, and its question, unless it is a provider or comes along only."""
    piece: dict[str, object] = {
        "name": name, "label": name, "help": f"The piece {name}.", "kind": "module", "always": False, "port": None,
        "module": None, "requires": [], "conflicts": [], "presets": [], "dependencies": [], "dev_dependencies": [],
        "paths": [f"app/{name}"], "settings": [], "services": [], "owns": [],
    }  # fmt: skip
    template.write(f"extensions/catalog/{name}.yml", yaml.safe_dump(piece | fields, sort_keys=False))
    template.write(f"template/app/{name}/__init__.py", f'"""The piece {name}."""\n')
    if "port" not in fields and fields.get("kind") != "infrastructure":
        check = "{% from 'extensions/catalog/requirements.jinja' import check with context %}"
        validator = f"{check}{{{{ check('{name}', {name}) }}}}"
        ask(template, f'{name}:\n  type: bool\n  help: "{name}?"\n  default: false\n  validator: "{validator}"\n\n')


def ask(template: Repository, question: str) -> None:
    """Add a question to a template, before what follows from the answers."""
    questions = re.sub(r"(?m)^chosen:$", lambda _: f"{question}chosen:", template.read("copier.yml"), count=1)
    template.write("copier.yml", questions)


def _in_small(path: str) -> bool:
    """Return whether a path of the template, relative to its folder, belongs to the small template."""
    return (
        "/" not in path or path.endswith(".jinja") or any(path == kept or path.startswith(f"{kept}/") for kept in SMALL)
    )


def make_releases(root: Path, *, complete: bool) -> Repository:
    """This template with a few more pieces, as v1.0.0; and a v2.0.0."""
    template = Repository(root)
    # Uncommitted files are copied too; the tool is not, because no project is rendered from it.
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", ".*_cache", "omnistack")
    shutil.copytree(ROOT / "extensions", template.root / "extensions", ignore=ignored)
    for file in sorted((ROOT / "template").rglob("*")):
        path = file.relative_to(ROOT / "template").as_posix()
        if file.is_file() and not ignored("", [*file.parts]) and (complete or _in_small(path)):
            target = template.root / "template" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
    shutil.copy(ROOT / "copier.yml", template.root)
    for name, fields in TOYS.items():
        write_piece(template, name, **fields)
    template.write("template/migrations/versions/ledger/0001_ledger.py", '"""Tables."""\n')
    ask(template, SMS_QUESTION)
    template.write("template/docs/handbook.md", "".join(f"Line {number}\n" for number in range(1, LINES + 1)))
    template.write("template/docs/leaving.md", "Gone in the next release.\n")
    template.git("init", "--quiet", "--initial-branch=main")
    template.commit("One", V1)
    template.edit("template/docs/handbook.md", "Line 5\n", "Line 5, second edition\n")
    (template.root / "template/docs/leaving.md").unlink()
    template.write("template/docs/arriving.md", "New in this release.\n")
    write_piece(template, "newsletter", **NEWSLETTER)
    template.commit("Two", V2)
    return template
