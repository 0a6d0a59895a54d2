"""Copier's own update, with its many kinds of errors made one.

The worker leans on Copier's private API, which is why Copier is pinned: the tests compare what comes out with what its
public functions render.
"""

import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache, cached_property
from pathlib import Path
from typing import ClassVar

from copier import VcsRef
from copier._jinja_ext import SandboxedEnvironment
from copier._main import Worker
from copier._template import Template
from copier.errors import CopierError
from jinja2 import TemplateError
from plumbum import ProcessExecutionError

from omnistack.shell.errors import OmniError
from omnistack.shell.process import gist


@contextmanager
def plain_errors(what: str) -> Iterator[None]:
    """Turn whatever Copier raises into one error."""
    try:
        yield
    except ProcessExecutionError as error:
        said = gist(str(error.stderr)) or f"exit status {error.retcode}"
        raise OmniError(f"{what}: git says: {said}") from error
    except (CopierError, TemplateError, ValueError, OSError, subprocess.SubprocessError) as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise OmniError(f"{what}: {error}") from error


@contextmanager
def repeatable_git() -> Iterator[None]:
    """Keep the user's own git settings, which differ from machine to machine, from changing what Copier makes.

    Files that they ignore everywhere would be missing, hooks would run on its temporary commits, and a whitespace rule
    would rewrite their code.
    """
    settings = {
        "core.excludesFile": os.devnull,
        "core.hooksPath": os.devnull,
        "core.quotePath": "false",
        "apply.whitespace": "nowarn",
        "merge.conflictStyle": "merge",
        "commit.gpgSign": "false",
        "core.fsync": "none",  # all that is written meanwhile is thrown away
    }
    before = dict(os.environ)
    first = int(before.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(settings.items(), first):
        os.environ[f"GIT_CONFIG_KEY_{number}"] = key
        os.environ[f"GIT_CONFIG_VALUE_{number}"] = value
    os.environ["GIT_CONFIG_COUNT"] = str(first + len(settings))
    os.environ["GIT_TEMPLATE_DIR"] = ""
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def update(folder: Path, ref: str | None, answers: Mapping[str, str | bool]) -> None:
    """Run `copier update` on a project: to a version of its template, or (none) with other answers at its own."""
    with (
        plain_errors("the update failed, and the project is as it was"),
        repeatable_git(),
        _Worker(
            dst_path=folder,
            vcs_ref=VcsRef.CURRENT if ref is None else ref,
            data=dict(answers),
            defaults=True,
            overwrite=True,
            quiet=True,
        ) as worker,
    ):
        try:
            worker.run_update()
        finally:
            _Worker.forget()


class _Worker(Worker):
    """Copier's own, remembering what it would work out anew for each of a project's files in each of three renders."""

    _templates: ClassVar[dict[tuple[str, str | None], Template]] = {}

    @classmethod
    def forget(cls) -> None:
        """Delete the clones of the template."""
        for template in cls._templates.values():
            template._cleanup()  # noqa: SLF001 - a worker would do so at its end, when the next still needs it
        cls._templates.clear()

    @cached_property
    def template(self) -> Template:
        """The template at one version: cloned and read once, where Copier does so for each of its four workers."""
        before = self.subproject.template
        url = self.src_path or (before.url if before else "")
        key = (str(url), self.resolved_vcs_ref)
        if key not in self._templates:
            self._templates[key] = Template(url=key[0], ref=key[1])
        return self._templates[key]

    @cached_property
    def jinja_env(self) -> SandboxedEnvironment:
        environment: SandboxedEnvironment = super().jinja_env
        environment.from_string = cache(environment.from_string)  # type: ignore[method-assign,assignment]  # same calls
        return environment

    def _sync_git_index_executable_bit(self, dst_relpath: Path, src_mode: int) -> None:
        if os.name == "nt":  # elsewhere git sees the mode itself, and this would ask it so for each file
            super()._sync_git_index_executable_bit(dst_relpath, src_mode)
