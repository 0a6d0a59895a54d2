"""Error reporting with Sentry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from pydantic import SecretStr

from app.core.manifest import Module, modules_of
from app.core.observability.logging import observing_log
from app.core.runtime import Runtime
from app.sentry.client import Reporter
from app.sentry.faults import is_expected
from app.sentry.listener import SentryListener
from app.sentry.sampling import Sampler
from app.sentry.settings import SentrySettings


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(SentrySettings)
    if not settings.SENTRY_DSN.get_secret_value():
        yield
        return
    reporter = Reporter(settings, runtime.settings, secret_values(runtime))
    loop = asyncio.get_running_loop()
    earlier = loop.get_exception_handler()
    loop.set_exception_handler(_handler(reporter, earlier))
    try:
        sampler = Sampler(settings.SENTRY_TRACES_SAMPLE_RATE, settings.SENTRY_TRACES_PER_SECOND)
        listener = SentryListener(reporter, sampler)
        with runtime.listen(listener), observing_log(listener.logged):
            yield
    except BaseException as error:
        # The start of a later module, or a command.
        if not is_expected(error):
            reporter.report(error)
        raise
    finally:
        loop.set_exception_handler(earlier)
        await asyncio.to_thread(reporter.close)


def secret_values(runtime: Runtime) -> set[str]:
    """Return the values of all secret settings."""
    found: set[str] = set()
    for cls in (cls for module in modules_of(runtime) for cls in module.settings):
        for value in vars(runtime.resource(cls)).values():
            values = value if isinstance(value, tuple) else (value,)
            found |= {each.get_secret_value() for each in values if isinstance(each, SecretStr)}
    return found


def _handler(reporter: Reporter, earlier: Any) -> Any:  # noqa: ANN401 - as asyncio types them
    """Return a handler for exceptions that no code waits for, such as those of forgotten tasks."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException) and not is_expected(error):
            reporter.report(error)
        if earlier is None:
            loop.default_exception_handler(context)
        else:
            earlier(loop, context)

    return handle


module = Module(name="sentry", settings=(SentrySettings,), lifespan=_lifespan)
