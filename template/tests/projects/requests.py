"""Requests for projects."""

import httpx

PROJECTS = "/api/v1/app/projects"


async def create(client: httpx.AsyncClient, headers: dict[str, str], name: str = "Apollo", **fields: str) -> str:
    """Create a project and return its id."""
    answer = await client.post(PROJECTS, headers=headers, json={"name": name, **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]
