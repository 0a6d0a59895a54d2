"""The public routes of the contact form."""

import httpx

from app.core.runtime import Runtime

CONTACT = "/api/v1/public/contact"


async def test_a_message_is_stored(client: httpx.AsyncClient, runtime: Runtime) -> None:
    token = (await client.get(f"{CONTACT}/status")).json()["form_token"]
    body = {"form_token": token, "name": "Ada", "email": "ada@example.com", "message": "Hello"}
    answer = await client.post(CONTACT, json=body)
    assert answer.status_code == 201, answer.text
    await runtime.queue.drain()
