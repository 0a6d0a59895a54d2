"""Requests to a fake in this process, without a port."""

from collections.abc import Mapping
from typing import override

import httpx
import stripe

from app.dev.servers.stripe.fake import SECRET_KEY, StripeFake


def browser(fake: StripeFake, *, key: str = SECRET_KEY) -> httpx.AsyncClient:
    """Return a client for the pages, the control and the API."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=fake.app),
        base_url=fake.account.base_url,
        headers={"Authorization": f"Bearer {key}"},
    )


class InProcess(stripe.HTTPClient):
    """The library's way to the fake."""

    name = "in-process"

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__()
        self._http = http

    @override
    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: str | None = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        """Send a request."""
        answer = await self._http.request(method, url, headers=headers, content=post_data or None)
        return answer.content, answer.status_code, answer.headers
