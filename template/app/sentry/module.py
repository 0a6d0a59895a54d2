"""Error reporting with Sentry."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from app.core.manifest import Module
from app.core.runtime import Runtime
from app.sentry.client import Reporter
from app.sentry.listener import EXPECTED, SentryListener
from app.sentry.settings import SentrySettings


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    settings = runtime.resource(SentrySettings)
    if not settings.SENTRY_DSN.get_secret_value():
        yield
        return
    reporter = Reporter(settings, runtime.settings)
    loop = asyncio.get_running_loop()
    earlier = loop.get_exception_handler()
    loop.set_exception_handler(_handler(reporter, earlier))
    try:
        with runtime.listen(SentryListener(reporter, sample_rate=settings.SENTRY_TRACES_SAMPLE_RATE)):
            yield
    except BaseException as error:
        # The start of a later module, or a command.
        if not isinstance(error, EXPECTED):
            reporter.report(error)
        raise
    finally:
        loop.set_exception_handler(earlier)
        await asyncio.to_thread(reporter.close)


def _handler(reporter: Reporter, earlier: Any) -> Any:  # noqa: ANN401 - as asyncio types them
    """Return a handler for exceptions that no code was waiting for, such as those of forgotten tasks."""

    def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException) and not isinstance(error, EXPECTED):
            reporter.report(error)
        if earlier is None:
            loop.default_exception_handler(context)
        else:
            earlier(loop, context)

    return handle


module = Module(name="sentry", settings=(SentrySettings,), lifespan=_lifespan)
