"""Private routes refuse an administrator who impersonates the user."""

from uuid import uuid4

import pytest

from app.core.db.models import utc_now
from app.users.caller import Caller
from app.users.dependencies import private
from app.users.errors import ImpersonationNotAllowedError


def caller(*, impersonated: bool) -> Caller:
    now = utc_now()
    return Caller(
        id=uuid4(),
        email=None,
        full_name=None,
        role="user",
        is_active=True,
        created_at=now,
        updated_at=now,
        impersonator_id=uuid4() if impersonated else None,
    )


async def test_admit_the_user_only() -> None:
    await private(caller(impersonated=False))
    with pytest.raises(ImpersonationNotAllowedError):
        await private(caller(impersonated=True))
