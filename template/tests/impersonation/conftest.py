"""An administrator, and a user who is impersonated."""

from dataclasses import dataclass
from uuid import UUID

import httpx
import pytest

from app.core.runtime import Runtime
from app.users.roles import Role
from tests.conftest import ME, SignIn

START = "/api/v1/admin/impersonate/start"
STOP = "/api/v1/admin/impersonate/stop"
ACTIVE = "/api/v1/admin/impersonate/active"


@dataclass(frozen=True, kw_only=True)
class Person:
    """A user and the headers of their requests."""

    id: UUID
    headers: dict[str, str]


@dataclass(frozen=True)
class People:
    """Signs people in, and lets them impersonate each other."""

    client: httpx.AsyncClient
    runtime: Runtime
    sign_in: SignIn

    async def person(self, email: str, role: str = Role.USER) -> Person:
        """A person with this role."""
        headers = await self.sign_in(email=email, role=role)
        return Person(id=UUID((await self.client.get(ME, headers=headers)).json()["id"]), headers=headers)

    async def start(self, admin: Person, user: Person, reason: str = "Ticket 42") -> dict[str, str]:
        """Start to impersonate, and return the headers of requests as the user."""
        answer = await self.client.post(START, headers=admin.headers, json={"user_id": str(user.id), "reason": reason})
        assert answer.status_code == 201, answer.text
        return {"Authorization": f"Bearer {answer.json()['access_token']}"}


@pytest.fixture
def people(client: httpx.AsyncClient, runtime: Runtime, sign_in: SignIn) -> People:
    """Users of the shared database."""
    return People(client, runtime, sign_in)


@pytest.fixture
async def admin(people: People) -> Person:
    """An administrator."""
    return await people.person("admin@example.com", Role.ADMIN)


@pytest.fixture
async def user(people: People) -> Person:
    """A user."""
    return await people.person("user@example.com")


@pytest.fixture
async def acting(people: People, admin: Person, user: Person) -> dict[str, str]:
    """The headers of the administrator as the user."""
    return await people.start(admin, user)


def code(answer: httpx.Response) -> tuple[int, str]:
    """The status and the code of an error."""
    return answer.status_code, answer.json()["error"]["code"]
