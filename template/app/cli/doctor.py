"""`app doctor`: check that this deployment works, and point out settings that are unusual outside local."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Literal

import click

if TYPE_CHECKING:
    from app.core.config.settings import LoadedSettings
    from app.core.manifest import Diagnostic, HealthCheck
    from app.core.runtime import Runtime

CHECK_TIMEOUT: Final = 10.0
"""Seconds for opening all modules, and for each health check."""
PENDING: Final = "The database lacks revisions. Run `app db upgrade`."
COLUMNS: Final = ("STATUS", "CHECK", "MESSAGE")


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a check.

    Attributes:
        status: an `error` must be fixed; a `warning` may be intended.
        check: what was checked: `settings`, the name of a health check, or the name of a setting.
        message: what is wrong and what to do. Contains no secrets.
    """

    status: Literal["ok", "warning", "error"]
    check: str
    message: str = ""


@click.command()
@click.option("--production", is_flag=True, help="Apply the rules of production, whatever ENVIRONMENT is.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, production: bool, as_json: bool) -> None:
    """Check the settings, the database and the other services.

    Exits with 1 if there is an error. Warnings don't change the exit code.
    """
    findings = _diagnose(production=production)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        from app.cli.settings import table

        for line in table(COLUMNS, [(it.status, it.check, it.message) for it in findings]):
            click.echo(line)
    if any(finding.status == "error" for finding in findings):
        raise SystemExit(1)


def _diagnose(*, production: bool) -> list[Finding]:
    from app.cli.database import servers
    from app.core.config.settings import ConfigurationError, load_settings
    from app.core.lifecycle import settings_classes
    from app.kit.environment import in_environment
    from app.kit.user_error import UserError
    from app.modules import MODULES

    with ExitStack() as stack:
        if production:
            stack.enter_context(in_environment("ENVIRONMENT", "production"))
        # Loading all settings reports it, together with everything else that is wrong.
        with suppress(ConfigurationError, UserError):
            stack.enter_context(servers("app doctor"))
        try:
            loaded = load_settings(settings_classes(MODULES))
        except ConfigurationError as error:
            return [*_problems(error.problems), *_database_alone()]
        findings = [Finding("ok", "settings")]
        findings += asyncio.run(_check_runtime(loaded))
        return findings


def _problems(problems: tuple[str, ...]) -> Iterator[Finding]:
    for problem in problems:
        name, _, message = problem.partition(" ")
        yield Finding("error", name, message)


def _database_alone() -> Iterator[Finding]:
    """Check the database although other settings are invalid, so that one run reports as much as possible."""
    from app.core.config.settings import ConfigurationError
    from app.migrate.database_settings import database_settings
    from app.migrate.database_state import is_current

    try:
        url = database_settings().DATABASE_URL
    except ConfigurationError:
        return
    if not url:
        return
    try:
        current = is_current(url)
    except Exception as error:  # noqa: BLE001 - any error is a finding
        yield Finding("error", "database", _reason(error))
        return
    yield Finding("ok", "database") if current else Finding("error", "database", PENDING)


async def _check_runtime(loaded: "LoadedSettings") -> list[Finding]:
    from app.core.lifecycle import create_runtime, running
    from app.core.manifest import modules_of
    from app.core.observability.logging import log_to_stderr
    from app.modules import MODULES

    findings: list[Finding] = []
    try:
        runtime = create_runtime(MODULES, loaded=loaded)
        with log_to_stderr(runtime.settings):
            async with asyncio.timeout(CHECK_TIMEOUT), running(runtime, background=False):
                checks = [check for module in modules_of(runtime) for check in module.health_checks]
                findings += await asyncio.gather(*(_run(runtime, check) for check in checks))
                diagnostics = [diagnostic for module in modules_of(runtime) for diagnostic in module.diagnostics]
                for found in await asyncio.gather(*(_diagnosis(runtime, diagnostic) for diagnostic in diagnostics)):
                    findings += found
                findings += weak_spots(runtime, loaded)
    except Exception as error:  # noqa: BLE001 - any error at startup is a finding
        findings.append(Finding("error", "startup", _reason(error)))
    return findings


async def _run(runtime: "Runtime", check: "HealthCheck") -> Finding:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT / 2):
            await check.check(runtime)
    except Exception as error:  # noqa: BLE001 - any error is a finding
        return Finding("error", check.name, _reason(error))
    return Finding("ok", check.name)


async def _diagnosis(runtime: "Runtime", diagnostic: "Diagnostic") -> list[Finding]:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT / 2):
            warnings = await diagnostic.check(runtime)
    except Exception as error:  # noqa: BLE001 - any error is a finding
        return [Finding("error", diagnostic.name, _reason(error))]
    return [Finding("warning", diagnostic.name, warning) for warning in warnings] or [Finding("ok", diagnostic.name)]


def _reason(error: Exception) -> str:
    """Return a one-line explanation. The messages of unknown errors may contain credentials and aren't shown."""
    from app.cli.errors import explanation

    if isinstance(error, TimeoutError):
        return "No answer in time. Check the address, and that the server runs."
    text = explanation(error)
    return " ".join(text.split()) if text is not None else f"{type(error).__name__}; the message may hold credentials."


def weak_spots(runtime: "Runtime", loaded: "LoadedSettings") -> Iterator[Finding]:
    """Yield a warning for each setting that works, but is rarely intended outside of a developer's machine."""
    settings = runtime.settings
    if settings.is_local:
        return
    if settings.DEBUG:
        yield Finding("warning", "DEBUG", "Is true: requests and SQL statements are logged with user data.")
    if "*" in settings.BACKEND_CORS_ORIGINS:
        yield Finding("warning", "BACKEND_CORS_ORIGINS", 'Contains "*": every web page may call the API.')
    if settings.PUBLIC_URL.startswith("http://"):
        yield Finding("warning", "PUBLIC_URL", "Is not https: links in emails and webhooks are not encrypted.")
    if settings.TRUSTED_PROXY_COUNT == 0:
        yield Finding(
            "warning",
            "TRUSTED_PROXY_COUNT",
            "Is 0. Behind a proxy, all clients then share the proxy's address and its rate limits.",
        )
    if settings.DATABASE_URL is not None and settings.DATABASE_URL.startswith("sqlite"):
        yield Finding("warning", "DATABASE_URL", "Is SQLite: one machine only, and one write at a time.")
    if runtime.has_default("limiter"):
        yield Finding(
            "warning",
            "rate limits",
            "Are counted in memory: with N workers or instances, a client may make N times as many requests.",
        )
    yield from _for_development(loaded)


def _for_development(loaded: "LoadedSettings") -> Iterator[Finding]:
    from app.core.config.settings import ForDevelopment

    for cls, values in loaded.items():
        for name, field in cls.model_fields.items():
            value = getattr(values, name)
            if any(isinstance(item, ForDevelopment) and item.value == value for item in field.metadata):
                yield Finding("warning", name, f"Is {value}, which is meant for development.")
