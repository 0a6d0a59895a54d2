"""The process of the fake that `app dev` starts: `python -m app.dev.servers.stripe.server FOLDER WEBHOOK_URL`.

It keeps its account in the folder, and sends events to the URL by itself.
"""

import asyncio
import contextlib
import secrets
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, override

import httpx
import uvicorn

from app.dev.servers.announcement import announce
from app.dev.servers.stripe import saved_state, server_file, webhooks
from app.dev.servers.stripe.account import Account
from app.dev.servers.stripe.billing.due import catch_up
from app.dev.servers.stripe.fake import StripeFake
from app.dev.servers.stripe.objects.catalog import Product
from app.dev.servers.stripe.objects.events import WebhookEndpoint

PAUSE_SECONDS: Final = 0.2
TIMEOUT_SECONDS: Final = 20
DESCRIPTION: Final = "app dev"


class _Server(uvicorn.Server):
    """uvicorn's server, which says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @override
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See `uvicorn.Server.startup`."""
        await super().startup(sockets)
        if self.started:
            self._ready()


def main(folder: Path, webhook_url: str) -> None:
    """Serve until this process is asked to end."""
    file = folder / "account.json"
    account = saved_state.load(file) or Account()
    if not account.all(Product):
        (folder / server_file.NEW).touch()
    listener = _listen(folder)
    key = f"sk_test_{secrets.token_hex(16)}"
    fake = StripeFake(account, secret_key=key)
    account.base_url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    endpoint = _endpoint(account, webhook_url)
    settings = {
        "STRIPE_API_BASE": account.base_url,
        "STRIPE_SECRET_KEY": key,
        "STRIPE_WEBHOOK_SECRET": endpoint.secret,
    }
    config = uvicorn.Config(fake.app, log_level="warning", timeout_graceful_shutdown=1, lifespan="off")
    server = _Server(config, lambda: announce(folder, settings))
    try:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(_serve(server, listener, fake, file))
    finally:
        server_file.remove(folder)
        saved_state.save(account, file)


async def _serve(server: uvicorn.Server, listener: socket.socket, fake: StripeFake, file: Path) -> None:
    background = asyncio.create_task(_work(fake, file))
    await server.serve(sockets=[listener])
    background.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await background


async def _work(fake: StripeFake, file: Path) -> None:
    """Let the account follow its clock, send events, and save changes."""
    saved = -1
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
        post = webhooks.over_http(client)
        while True:
            catch_up(fake.account)
            if fake.faults.deliver:
                await fake.deliver(post)
            if fake.account.last_id != saved:
                saved = fake.account.last_id
                saved_state.save(fake.account, file)
            await asyncio.sleep(PAUSE_SECONDS)


def _listen(folder: Path) -> socket.socket:
    """Return a socket on the port of the last time, so that links stay valid; on another one if that is taken."""
    last = folder / "port"
    wanted = int(last.read_text()) if last.exists() else 0
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", wanted))
    except OSError:
        listener.bind(("127.0.0.1", 0))
    last.write_text(str(listener.getsockname()[1]))
    return listener


def _endpoint(account: Account, url: str) -> WebhookEndpoint:
    """Return the endpoint of the application, whose URL may have changed."""
    for endpoint in account.all(WebhookEndpoint):
        if endpoint.description == DESCRIPTION:
            endpoint.url = url
            return endpoint
    endpoint = WebhookEndpoint(
        id=account.new_id(WebhookEndpoint.PREFIX),
        created=account.now,
        description=DESCRIPTION,
        enabled_events=["*"],
        secret=f"whsec_{secrets.token_hex(16)}",
        url=url,
    )
    return account.add(endpoint)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
