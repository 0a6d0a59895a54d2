"""The Python interpreters that cells run on."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from omnistack.shell.errors import OmniError
from omnistack.shell.process import run

DESCRIBE = "import sys, sysconfig; print(sys.version.replace(chr(10), ' '), sysconfig.get_platform(), sep='; ')"


@dataclass(frozen=True)
class Interpreter:
    """A Python on this machine."""

    version: str
    """As in `3.12`."""

    path: str

    build: str
    """The full version, the compiler and the platform: they distinguish two interpreters of one version."""

    @property
    def release(self) -> str:
        """As in `3.12.4`."""
        return self.build.split()[0]


def variable(version: str) -> str:
    """Return the name of the environment variable that holds the path to an interpreter of this version."""
    return f"OMNISTACK_PYTHON_{version.replace('.', '_')}"


def find_interpreter(version: str) -> Interpreter | None:
    """Find an interpreter: the one that the environment variable names, else one on PATH or managed by uv.

    Raises:
        OmniError: the environment variable names something else.
    """
    with tempfile.TemporaryDirectory() as folder:
        # As in a rendered project: pyenv offers a version only in a folder that names it.
        (Path(folder) / ".python-version").write_text(f"{version}\n", encoding="utf-8")
        named = os.environ.get(variable(version), "")
        try:
            path = named or run(["uv", "python", "find", "--no-python-downloads", version], cwd=Path(folder)).strip()
            build = run([path, "-c", DESCRIBE], cwd=Path(folder)).strip()
        except (OmniError, OSError) as error:
            if named:
                raise _unusable(version, named, str(error)) from error
            return None
    if not build.startswith(f"{version}."):
        if named:
            raise _unusable(version, named, f"it is Python {build.split()[0]}")
        return None
    return Interpreter(version, path, build)


def _unusable(version: str, path: str, reason: str) -> OmniError:
    return OmniError(
        f"{variable(version)}={path} is not a Python {version}: {reason}",
        "set the variable to the path of an interpreter, or unset it",
    )
