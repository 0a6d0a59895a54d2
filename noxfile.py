"""The sessions of this repository. Plain `uv run nox` runs lint, types, prove and tests."""

import os

import nox

nox.options.sessions = ["lint", "types", "prove", "tests"]
# `uv run nox` has just made the environment from uv.lock: a second one a session would only take time.
nox.options.default_venv_backend = "none"
# Much of what runs here is small programs, one after the other: what Python has compiled for one serves the next.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff on the tool, the tests and the template as it lies; spelling of workflows; the lock file."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("uv", "lock", "--check")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", ".github/workflows/ci.yml")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy, strict, on the tool and its tests; and on the tool as macOS and Windows run it."""
    session.run("mypy")
    for platform in ("darwin", "win32"):
        session.run("mypy", "--platform", platform, "extensions/omnistack")


@nox.session
def prove(session: nox.Session) -> None:
    """Shows for every valid answer set that it renders a consistent project, and that every seeded fault is found.

    A sample is rendered as well, and compared. `nox -s prove -- --sample 0` is the proof alone.
    """
    session.run("omnistack", "prove", *(session.posargs or ["--mutants", "--sample", "2000"]))


@nox.session
def tests(session: nox.Session) -> None:
    """The tests of the template and of the tool, on every core; those that take long are in `slow`."""
    session.run("pytest", "-n", "auto", "--dist", "worksteal", "-m", "not slow", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that install and run whole projects, or drive a terminal."""
    session.run("pytest", "-n", "auto", "--dist", "worksteal", "-m", "slow", *session.posargs)


@nox.session
def suites(session: nox.Session) -> None:
    """Renders a covering array and, in each cell, installs, lints, types, migrates, boots and tests."""
    session.run("omnistack", "suites", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Prints the speed of the tool and of a rendered application, as ratios within one run."""
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Makes a project of every piece in .demo/ and starts it."""
    session.run("omnistack", "new", ".demo", "--preset", "everything", "--start", *session.posargs)


if __name__ == "__main__":
    os.environ.setdefault("NOX_DEFAULT_VENV_BACKEND", "none")
    nox.main()
