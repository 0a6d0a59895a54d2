"""The dependencies of routes that send emails."""

from typing import Annotated

from fastapi import Depends

from app.core.http.dependencies import RuntimeDep
from app.email.mailer import Mailer, get_mailer


async def _mailer(runtime: RuntimeDep) -> Mailer:
    return get_mailer(runtime)


MailerDep = Annotated[Mailer, Depends(_mailer)]
