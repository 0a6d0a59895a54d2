"""The files of a template, in memory, so that a changed template can be tried without a disk."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from omnistack.shell.errors import OmniError
from omnistack.shell.git import git
from omnistack.shell.process import CommandError
from omnistack.template.catalog import CATALOG_DIR, QUESTIONS_FILE
from omnistack.template.yaml_loader import SafeLoader, load_yaml

FOLDERS = ("template", "extensions")
TOOL = "extensions/omnistack/"
CACHES = {"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache", ".import_linter_cache"}


@dataclass(frozen=True)
class Source:
    """The files that Copier reads: `copier.yml`, the catalog, the template's files; by path, with `/`."""

    root: Path
    files: Mapping[str, bytes] = field(repr=False)

    def text(self, path: str) -> str:
        """Return a file as text."""
        if path not in self.files:
            raise OmniError(f"the template has no file {path}", "correct the name where it is used")
        return self.files[path].decode("utf-8", errors="replace")

    @property
    def questionnaire(self) -> dict[str, bytes]:
        """The files that determine the answers and the chosen pieces: all except the rendered ones."""
        return {path: content for path, content in self.files.items() if not path.startswith("template/")}

    @property
    def digest(self) -> str:
        """A digest of all files. A merge that changes none of them has the same one, unlike its commit."""
        total = sha256()
        for path, content in sorted(self.files.items()):
            total.update(sha256(path.encode()).digest() + sha256(content).digest())
        return total.hexdigest()

    def changed(self, changes: Mapping[str, str | None]) -> "Source":
        """Return the same template with some files written anew, or without them."""
        files = dict(self.files)
        for path, text in changes.items():
            if text is None:
                files.pop(path, None)
            else:
                files[path] = text.encode()
        return Source(self.root, files)

    def catalog(self) -> list[dict[str, Any]]:
        """Read the catalog as Copier's `!include` does; the order is by file name here, and may not matter."""
        return [
            _read_yaml(self.files[path])
            for path in sorted(self.files)
            if path.startswith(f"{CATALOG_DIR}/") and path.endswith(".yml")
        ]

    def configuration(self) -> dict[str, Any]:
        """Read `copier.yml`, the catalog included."""
        documents = self.catalog()

        class Loader(yaml.SafeLoader):
            pass

        Loader.add_constructor("!include", lambda _loader, _node: documents)
        loader = Loader("")
        try:
            loaded: dict[str, Any] = loader.construct_document(_compose(self.files[QUESTIONS_FILE]))
        finally:
            loader.dispose()
        return loaded

    def write(self, folder: Path) -> None:
        """Write the template to a folder, for Copier to render."""
        for path, content in self.files.items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            mode = self.root / path
            if mode.exists():
                target.chmod(mode.stat().st_mode)


@lru_cache(maxsize=64)
def _compose(content: bytes) -> yaml.Node | None:
    """Parse a document into nodes, the slowest step. The values made from them depend on the included files."""
    return yaml.compose(content, Loader=SafeLoader)


@lru_cache(maxsize=1024)
def _read_yaml(content: bytes) -> dict[str, Any]:
    """Read a document of the catalog; callers must not change it."""
    document: dict[str, Any] = load_yaml(content)
    return document


def read_source(root: Path) -> Source:
    """Read a template from disk, without the files that git ignores."""
    names = [QUESTIONS_FILE, *(name for folder in FOLDERS for name in _names(root, folder))]
    return Source(root, {name: (root / name).read_bytes() for name in sorted(names) if (root / name).is_file()})


def _names(root: Path, folder: str) -> list[str]:
    try:
        listed = git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder)
        names = [name for name in listed.split("\0") if name]
    except CommandError:
        names = []
    if not names:
        names = [path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.is_file()]
    return [name for name in names if not name.startswith(TOOL) and not CACHES.intersection(Path(name).parts)]
