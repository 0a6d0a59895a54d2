"""The sessions of this repository. Plain `uv run nox` runs lint, types, prove and tests."""

import os

import nox

nox.options.sessions = ["lint", "types", "prove", "tests"]
# `uv run nox` has just synchronised the environment with uv.lock: another one for each session would only take time.
nox.options.default_venv_backend = "none"
# The sessions run many small programs one after the other, which share compiled files.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


@nox.session
def lint(session: nox.Session) -> None:
    """Run ruff on the tool, the tests and the unrendered template; check the workflow's schema and the lock file."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("uv", "lock", "--check")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", ".github/workflows/ci.yml")
    session.run("actionlint", ".github/workflows/ci.yml")


@nox.session
def types(session: nox.Session) -> None:
    """Run mypy, strict, on the tool and its tests, and on the tool for macOS and Windows."""
    session.run("mypy")
    for platform in ("darwin", "win32"):
        session.run("mypy", "--platform", platform, "extensions/omnistack")


@nox.session
def prove(session: nox.Session) -> None:
    """Prove that every valid answer set renders a consistent project, and that seeded faults are found.

    A sample is rendered and compared as well. `nox -s prove -- --sample 0` runs the proof alone.
    """
    session.run("omnistack", "prove", *(session.posargs or ["--mutants", "--at-most", "600", "--sample", "1000"]))


@nox.session
def mutants(session: nox.Session) -> None:
    """Seed every fault that the rules describe, and check that the proof finds each one."""
    session.run("omnistack", "prove", "--mutants", "--sample", "0", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests of the template and of the tool on every core, without the slow ones."""
    session.run("pytest", "-n", "auto", "--dist", "worksteal", "-m", "not slow", *session.posargs)


@nox.session
def slow(session: nox.Session) -> None:
    """Run the tests that install and run whole projects, or drive a terminal."""
    session.run("pytest", "-n", "auto", "--dist", "worksteal", "-m", "slow and not namespaces", *session.posargs)


@nox.session
def suites(session: nox.Session) -> None:
    """Render a covering array and install, migrate, boot, extend, lint, type and test each cell.

    Cells that docs/coverage.json records do not run again, except with `-- --all`; `-- --budget 30` stops in time.
    """
    session.run("omnistack", "suites", *session.posargs)


@nox.session
def bench(session: nox.Session) -> None:
    """Print the speed of the tool and of a rendered application, as ratios within one run."""
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def attack(session: nox.Session) -> None:
    """Attack a rendered project: generated requests (schemathesis), then faults of what it depends on.

    The faults: an issuer whose JWKS is away, slow, huge or rotated, a full disk, slow clients, a frozen PostgreSQL and
    Redis.

    `-- --only fuzz` runs one part, `-- --project DIR` attacks an installed project instead of a new one.
    """
    session.run("uv", "run", "--group", "attack", "python", "-m", "attack", *session.posargs)


@nox.session
def containers(session: nox.Session) -> None:
    """Deploy to an own server under load; build and run the images of the smallest and the largest project.

    The server is a stand-in in Linux namespaces, with the real Caddy, PostgreSQL and Redis. Compose runs the images.

    CONTAINERS_CHECK names a program that does so with a project's folder as its argument. If it isn't set,
    ../shared/tools/containers is used if it exists, else Docker.
    """
    session.run("pytest", "-m", "namespaces")
    session.run("python", "-m", "attack.containers", *session.posargs)


@nox.session
def demo(session: nox.Session) -> None:
    """Make a project of every piece in .demo/ and start it."""
    session.run("omnistack", "new", ".demo", "--preset", "everything", "--start", *session.posargs)


if __name__ == "__main__":
    os.environ.setdefault("NOX_DEFAULT_VENV_BACKEND", "none")
    nox.main()
