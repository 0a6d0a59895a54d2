"""Emails sent from routes, with templates of other modules."""

import json
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter

from app.core.db.database import Database
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.email import rendering
from app.email.dependencies import MailerDep
from app.email.providers.console import ConsoleEmail
from app.email.template_files import InvalidTemplateError
from app.main import create_app
from app.modules import MODULES

router = APIRouter()


@router.post("/email-test-invitations")
async def invite(mailer: MailerDep) -> None:
    """Send an invitation."""
    await mailer.send("ada@example.com", "Your invitation", "invitation", {"url": "/join?token=1"})


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package with the template of a module `email_test`."""
    folder = tmp_path / "email_test" / "templates"
    folder.mkdir(parents=True)
    for kind in ("html", "txt"):
        text = f'{{% extends "base.{kind}" %}}{{% block content %}}{{{{ url | link }}}}{{% endblock %}}'
        (folder / f"invitation.{kind}").write_text(text)
    sample = {"subject": "Your invitation", "data": {"url": "/join"}}
    (folder / "invitation.json").write_text(json.dumps(sample))
    monkeypatch.setattr(rendering, "PACKAGE", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("package")
async def test_a_route_sends_a_template_of_its_module(database: Database) -> None:
    modules = [*MODULES, Module(name="email_test", public_router=router)]
    async with running(create_runtime(modules, database=database), background=False) as runtime:
        app = create_app(modules, runtime=runtime)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://testserver") as client:
            answer = await client.post("/api/v1/public/email-test-invitations")
        assert answer.is_success, answer.text

        (printed,) = runtime.resource(ConsoleEmail).outbox
        assert "\nhttp://testserver/join?token=1\n" in f"\n{printed.message.text}"
        assert "account" not in printed.message.text


async def test_an_invalid_template_stops_the_start(package: Path, database: Database) -> None:
    path = package / "email_test" / "templates" / "invitation.html"
    path.write_text(path.read_text().replace("content", "body"))
    modules = [*MODULES, Module(name="email_test")]
    with pytest.raises(InvalidTemplateError, match="no block 'body'"):
        async with running(create_runtime(modules, database=database), background=False):
            pass
