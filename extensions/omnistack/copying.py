"""Copier's own functions, with its many kinds of errors made one."""

import os
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from omnistack.errors import OmniError
from omnistack.process import last_line


@contextmanager
def plain_errors(what: str) -> Iterator[None]:
    """Turn whatever Copier raises into one error."""
    from copier.errors import CopierError
    from jinja2 import TemplateError
    from plumbum import ProcessExecutionError

    try:
        yield
    except ProcessExecutionError as error:
        said = last_line(str(error.stderr)) or f"exit status {error.retcode}"
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
    }
    before = dict(os.environ)
    first = int(before.get("GIT_CONFIG_COUNT") or 0)
    for number, (key, value) in enumerate(settings.items(), first):
        os.environ[f"GIT_CONFIG_KEY_{number}"] = key
        os.environ[f"GIT_CONFIG_VALUE_{number}"] = value
    os.environ["GIT_CONFIG_COUNT"] = str(first + len(settings))
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        for name in set(os.environ) - set(before):
            del os.environ[name]
        os.environ.update(before)


def render(source: str, version: str, answers: Mapping[str, str | bool], folder: Path) -> None:
    """Render a version of the template with these answers into a new folder."""
    from copier import run_copy

    with plain_errors(f"version {version} of the template cannot be rendered"), repeatable_git():
        run_copy(source, folder, data=dict(answers), vcs_ref=version, defaults=True, overwrite=True, quiet=True)
