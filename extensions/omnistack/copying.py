"""Copier's own functions, with its many kinds of errors made one."""

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


def render(source: str, version: str, answers: Mapping[str, str | bool], folder: Path) -> None:
    """Render a version of the template with these answers into a new folder."""
    from copier import run_copy

    with plain_errors(f"version {version} of the template cannot be rendered"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        run_copy(source, folder, data=dict(answers), vcs_ref=version, defaults=True, overwrite=True, quiet=True)
