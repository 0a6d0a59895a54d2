"""Copier's update, run on a clone of a project with a clone of its template, and with one kind of error."""

import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar

from copier import VcsRef
from copier.errors import CopierError
from jinja2 import TemplateError
from plumbum import ProcessExecutionError

from omnistack.shell.errors import OmniError
from omnistack.shell.git import isolation
from omnistack.shell.process import error_line
from omnistack.template.copier_api import CopierTemplate, QuickTemplate, SandboxedEnvironment, Subproject, Worker


@contextmanager
def plain_errors(message: str) -> Iterator[None]:
    """Turn every error of Copier into an OmniError."""
    try:
        yield
    except ProcessExecutionError as error:
        reason = error_line(str(error.stderr)) or f"exit status {error.retcode}"
        raise OmniError(f"{message}: git reports: {reason}") from error
    except (CopierError, TemplateError, ValueError, OSError, subprocess.SubprocessError) as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise OmniError(f"{message}: {error}") from error


@contextmanager
def isolated_git() -> Iterator[None]:
    """Run git, as Copier calls it, without the settings of the user and the machine.

    They differ between machines and would change the result: files that are ignored everywhere would be missing, line
    ends would change, hooks would run on temporary commits.
    """
    before = dict(os.environ)
    os.environ.update(isolation())
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def update(folder: Path, repository: Path, ref: str | None, answers: Mapping[str, str | bool]) -> None:
    """Run `copier update` on a project.

    `repository` is a clone of its template with all versions. `ref` is the version to go to; none stays at the
    project's own version and changes the answers only.
    """
    with plain_errors("the update failed and the project was not changed"), isolated_git(), _using(repository):
        worker = _Worker(
            dst_path=folder,
            vcs_ref=VcsRef.CURRENT if ref is None else ref,
            data=dict(answers),
            defaults=True,
            overwrite=True,
            quiet=True,
        )
        with worker:
            worker.run_update()


@contextmanager
def _using(repository: Path) -> Iterator[None]:
    _ClonedTemplate.repository = repository
    try:
        yield
    finally:
        _ClonedTemplate.repository = None
        for template in _Worker.templates.values():
            template.delete()
        _Worker.templates.clear()


class _ClonedTemplate(QuickTemplate):
    """A template that is cloned from a folder, under the URL that a project records."""

    repository: ClassVar[Path | None] = None

    @cached_property
    def url_expanded(self) -> str:
        return str(self.repository) if self.repository else super().url_expanded

    def delete(self) -> None:
        """Delete the working copy."""
        super()._cleanup()

    def _cleanup(self) -> None:
        """Keep the working copy at the end of a worker: the next one uses it."""


class _Subproject(Subproject):
    """A project whose template is the shared one."""

    @cached_property
    def template(self) -> CopierTemplate | None:
        url, ref = self.last_answers.get("_src_path"), self.last_answers.get("_commit")
        return _Worker.shared(str(url), ref) if url else None


class _Worker(Worker):
    """Copier's worker, with one clone of each version and one Jinja environment for all of its renders."""

    templates: ClassVar[dict[tuple[str, str | None], _ClonedTemplate]] = {}

    @classmethod
    def shared(cls, url: str, ref: str | None) -> _ClonedTemplate:
        """Return the template at one version, cloned and read once."""
        if (url, ref) not in cls.templates:
            cls.templates[url, ref] = _ClonedTemplate(url=url, ref=ref)
        return cls.templates[url, ref]

    @cached_property
    def subproject(self) -> Subproject:
        answers_file = self.answers_file or Path(".copier-answers.yml")
        return _Subproject(local_abspath=self.dst_path.absolute(), answers_relpath=answers_file)

    @cached_property
    def template(self) -> CopierTemplate:
        recorded = self.subproject.template
        return self.shared(str(self.src_path or (recorded.url if recorded else "")), self.resolved_vcs_ref)

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        environment: SandboxedEnvironment = super().jinja_env
        environment.from_string = cache(environment.from_string)  # type: ignore[method-assign,assignment]  # same calls
        return environment

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        if os.name == "nt":  # elsewhere git reads the mode from the disk; asking it costs a process a file
            super()._sync_git_index_executable_bit(dst_relpath, src_mode)
