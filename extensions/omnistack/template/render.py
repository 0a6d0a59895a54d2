"""Rendering in memory, many times in one process: the files that `copier copy` writes, byte for byte.

Copier spends most of its time compiling the same Jinja strings, starting git for every file, and writing to the disk.
Here one worker keeps its Jinja environment and the files of the template, and collects `{path: (mode, bytes)}`. A test
compares random renders with `run_copy`. Not safe for threads.
"""

import stat
import warnings
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from copier.errors import CopierError
from jinja2 import Template, TemplateError

from omnistack.shell.errors import OmniError
from omnistack.template.copier_api import (
    CopierTemplate,
    FolderTemplate,
    Phase,
    SandboxedEnvironment,
    SettingsModel,
    Worker,
    as_operation,
    get_yield_context,
    scantree,
)

FOLDER = "project"
"""The name of the folder that a template is rendered into, as it sees it."""


class RenderedFile(NamedTuple):
    """One file of a rendered project."""

    mode: int
    """The permission bits of `st_mode`; only the executable bits matter."""
    content: bytes

    @property
    def text(self) -> str:
        """The content decoded as UTF-8; undecodable bytes are replaced."""
        return self.content.decode("utf-8", errors="replace")


@dataclass(frozen=True)
class Rendering:
    """A rendered project and its answers."""

    files: dict[str, RenderedFile]
    """The files by their path in the project, with `/`, sorted."""
    answers: dict[str, Any]
    """All answers, including hidden ones such as `chosen`."""


@dataclass(frozen=True)
class _Source:
    """A file of the template."""

    path: Path
    """Relative to the folder that holds `copier.yml`."""
    name: Path
    """Relative to the folder that is rendered."""
    mode: int
    content: bytes
    fixed: tuple[str, ...] | None
    """Its path in the project; none where the path itself is a template."""


class Renderer:
    """A renderer of one template, which it reads from the disk once."""

    def __init__(self, template_root: Path, *, commit: str | None = None) -> None:
        """Read the template; projects record `commit` as their `_commit` (none: as from a folder without git)."""
        root = template_root.resolve()
        if not (root / "copier.yml").is_file():
            raise OmniError(f"{template_root} has no copier.yml", "name the folder of a template")
        self._worker = _MemoryWorker(
            src_path=str(root),
            dst_path=root / f".nowhere/{FOLDER}",
            defaults=True,
            quiet=True,
            settings=SettingsModel(),
        )
        self._worker.commit = commit
        self._worker.reset()

    @property
    def environment(self) -> SandboxedEnvironment:
        """Copier's Jinja environment, with this template's options."""
        return self._worker.jinja_env

    def render(self, answers: Mapping[str, object]) -> dict[str, RenderedFile]:
        """Render a project; defaults complete the answers.

        Raises:
            OmniError: an answer is not valid.
        """
        return self.rendering(answers).files

    def rendering(self, answers: Mapping[str, object]) -> Rendering:
        """Render a project, and return the complete answers as well."""
        try:
            with warnings.catch_warnings(action="ignore"):
                return self._worker.collect(dict(answers))
        except (ValueError, CopierError, TemplateError) as error:
            raise OmniError(
                f"the template cannot be rendered with {answers}: {error}", "correct the answers"
            ) from error


def render(template_root: Path, answers: Mapping[str, object]) -> dict[str, RenderedFile]:
    """Render one project in memory; to render many, keep a Renderer."""
    return Renderer(template_root).render(answers)


@lru_cache(maxsize=8)
def jinja_environment(template_root: Path) -> SandboxedEnvironment:
    """Return the Jinja environment in which Copier renders a template."""
    return Renderer(template_root).environment


class _MemoryTemplate(FolderTemplate):
    """A template in a folder whose recorded commit can be set."""

    commit: str | None = None


class _MemoryWorker(Worker):
    """A Copier worker that collects the files instead of writing them."""

    commit: str | None
    _context: MutableMapping[str, Any] | None
    _answers_file: Path | None

    @property
    def answers_relpath(self) -> Path:
        # Computing it changes the context that it is given.
        return super().answers_relpath if self._answers_file is None else self._answers_file

    @cached_property
    def template(self) -> CopierTemplate:
        template = _MemoryTemplate(url=str(self.src_path))
        template.commit = self.commit
        return template

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        environment: SandboxedEnvironment = super().jinja_env
        environment.auto_reload = False
        compile_ = environment.from_string
        cached = lru_cache(maxsize=None)(compile_)

        # Compiling is also what resets Copier's own `yield` tag, so strings with one are compiled each time.
        def from_string(source: str) -> Template:
            return (cached if isinstance(source, str) and "yield" not in source else compile_)(source)

        # Callers pass the source only.
        environment.from_string = from_string  # type: ignore[method-assign,assignment]
        return environment

    @cached_property
    def sources(self) -> tuple[_Source, ...]:
        """All files of the template, read once."""
        root, below = self.template.local_abspath, self.template_copy_root
        found: list[_Source] = []
        for entry in scantree(str(below), follow_symlinks=True):
            file = Path(entry.path)
            if file.is_dir():
                continue
            name = file.relative_to(below)
            fixed = None if "{" in str(name) else tuple(path.as_posix() for path, _ in self._render_path(name))
            found.append(_Source(file.relative_to(root), name, file.stat().st_mode, file.read_bytes(), fixed))
        return tuple(found)

    def reset(self) -> None:
        """Discard the state of the previous render."""
        self._context = None
        self._answers_file = None
        self.__dict__.pop("match_exclude", None)

    @as_operation("copy")
    def collect(self, data: dict[str, Any]) -> Rendering:
        """Render as `run_copy` does, in memory."""
        self.data = data
        self.reset()
        with Phase.use(Phase.PROMPT):
            self._ask()
        with Phase.use(Phase.RENDER):
            self._answers_file = self.answers_relpath
            self._context = super()._render_context()
            files = dict(sorted(self._files()))
        answers = {name: value for name, value in self.answers.combined.items() if name in self.template.questions_data}
        self._context = None
        return Rendering(files, answers)

    def _files(self) -> Iterable[tuple[str, RenderedFile]]:
        suffix = self.template.templates_suffix
        for source in self.sources:
            targets: Iterable[tuple[str, Mapping[str, Any]]]
            if source.fixed is None:
                targets = [(path.as_posix(), context or {}) for path, context in self._render_path(source.name)]
            else:
                targets = [(path, {}) for path in source.fixed]
            for target, extra in targets:
                if self.match_exclude(_path(target)):
                    continue
                content = source.content
                if source.name.name.endswith(suffix):
                    template = self.jinja_env.get_template(source.path.as_posix())
                    content = template.render(**self._render_context(), **extra).encode()
                yield target, RenderedFile(stat.S_IMODE(source.mode), content)

    def _render_context(self) -> MutableMapping[str, Any]:
        # The answers are all given when files are rendered: from then on the context stays the same.
        return super()._render_context() if self._context is None else self._context

    def _render_string(self, string: str, extra_context: dict[str, Any] | None = None) -> str:
        if "{" not in string:
            context = get_yield_context(self.jinja_env)
            context.yield_name = context.yield_iterable = None
            return string
        return super()._render_string(string, extra_context)

    def _path_matcher(self, patterns: Iterable[str]) -> Callable[[Path], bool]:
        lines = [line for line in patterns if line.strip()]
        if any(line.lstrip().startswith("!") for line in lines):
            return super()._path_matcher(lines)
        matched = frozenset[str]().union(*(self._matched(line) for line in lines))
        every = cache(lambda: super(_MemoryWorker, self)._path_matcher(lines))
        return lambda path: path.as_posix() in matched if path in self._paths else every()(path)

    @cached_property
    def _paths(self) -> frozenset[Path]:
        """The paths in the project of all files whose path is not a template."""
        return frozenset(_path(path) for source in self.sources for path in source.fixed or ())

    @cached_property
    def _matched(self) -> Callable[[str], frozenset[str]]:
        """Return which of these a pattern matches; cached, because most patterns recur in every render."""

        def find(line: str) -> frozenset[str]:
            match = super(_MemoryWorker, self)._path_matcher([line])
            return frozenset(path.as_posix() for path in self._paths if match(path))

        return lru_cache(maxsize=None)(find)


@cache
def _path(text: str) -> Path:
    """Return the same object each time, so that dictionary lookups succeed by identity, without comparisons."""
    return Path(text)
