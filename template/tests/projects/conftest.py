"""Two users."""

import pytest

from tests.conftest import SignIn


@pytest.fixture
async def owner(sign_in: SignIn) -> dict[str, str]:
    """The headers of a user with projects."""
    return await sign_in(email="owner@example.com")


@pytest.fixture
async def stranger(sign_in: SignIn) -> dict[str, str]:
    """The headers of another user."""
    return await sign_in(email="stranger@example.com")
