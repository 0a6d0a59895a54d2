"""A fake of Stripe: its API, its hosted pages and its webhooks, for development and tests without an account.

It keeps everything in memory and has a clock that can be moved. See docs/stripe.md.
"""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

from app.dev.servers.stripe import webhooks
from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing import due
from app.dev.servers.stripe.control import Control
from app.dev.servers.stripe.faults import Faults
from app.dev.servers.stripe.http import Api, not_found
from app.dev.servers.stripe.objects.events import Event, WebhookEndpoint
from app.dev.servers.stripe.pages.routes import Pages

SECRET_KEY = "sk_test_of_the_fake"  # noqa: S105 - of the fake
WEBHOOK_SECRET = "whsec_of_the_fake"  # noqa: S105


class StripeFake:
    """An account at the fake. `app` is the ASGI application that serves it.

    Attributes:
        account: the objects and the clock.
        faults: what goes wrong.
        api: the API, whose `log` contains the requests.
    """

    def __init__(self, account: Account | None = None, *, secret_key: str = SECRET_KEY) -> None:
        self.account = account or Account()
        self.faults = Faults()
        self.api = Api(account=self.account, secret_key=secret_key, faults=self.faults)
        control = Control(account=self.account, faults=self.faults, secret_key=secret_key)
        pages = Pages(account=self.account)
        self.app = Starlette(
            routes=[*self.api.routes(), *control.routes(), *pages.routes()],
            exception_handlers={404: not_found, 405: not_found},
        )

    def listen(self, url: str, *, secret: str = WEBHOOK_SECRET, events: tuple[str, ...] = ("*",)) -> WebhookEndpoint:
        """Add a webhook endpoint, unless there is one for the URL."""
        for endpoint in self.account.all(WebhookEndpoint):
            if endpoint.url == url:
                return endpoint
        endpoint = WebhookEndpoint(
            id=self.account.new_id(WebhookEndpoint.PREFIX),
            created=self.account.now,
            enabled_events=list(events),
            secret=secret,
            url=url,
        )
        return self.account.add(endpoint)

    def advance(self, step: str) -> list[Event]:
        """Move the clock forward, like `+1month`, and return the events of that time."""
        return due.advance(self.account, step)

    async def deliver(self, post: webhooks.Post) -> int:
        """Send the events that are due; return how many were delivered."""
        return await webhooks.deliver(self.account, self.faults, post)

    @contextmanager
    def serving(self) -> Iterator[str]:
        """Serve on a free port of the loopback interface until the end of the block, and yield the URL."""
        listener = socket.socket()
        listener.bind(("127.0.0.1", 0))
        self.account.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(uvicorn.Config(self.app, log_config=None, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield self.account.base_url
        finally:
            server.should_exit = True
            thread.join()
            with contextlib.suppress(OSError):
                listener.close()
