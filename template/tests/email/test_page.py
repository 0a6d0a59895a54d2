"""The example of a job of one's own in docs/email.md works as it is."""

import re
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, update

from app.auth.port import Identity
from app.core.db.database import Database
from app.core.jobs.in_process import InProcessQueue
from app.core.lifecycle import create_runtime, running
from app.core.manifest import Module
from app.email import rendering
from app.email.providers.console import ConsoleEmail
from app.modules import MODULES
from app.users.identities import create_user
from app.users.models import users

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "email.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("## Send your own template to a user\n")[2].partition("\n## ")[0]
BLOCK = re.compile(r"^```\w+\n(.*?)^```", re.DOTALL | re.MULTILINE)


@pytest.fixture
def example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Write the templates of the page to the module's folder, run its code, and return its names."""
    code, *templates = BLOCK.findall(SECTION)
    folder = tmp_path / "invoices" / "templates"
    folder.mkdir(parents=True)
    for suffix, content in zip(("html", "txt", "json"), templates, strict=True):
        (folder / f"invoice.{suffix}").write_text(content, encoding="utf-8")
    monkeypatch.setattr(rendering, "PACKAGE", tmp_path)
    names: dict[str, Any] = {"__name__": "app.invoices.jobs"}
    exec(code, names)  # noqa: S102 - a page of this project
    return names


@pytest.mark.parametrize("active", [True, False])
async def test_a_job_of_one_s_own_sends_its_template(
    database: Database, example: dict[str, Any], *, active: bool
) -> None:
    job = example["send_invoice_email"]
    own = create_runtime([*MODULES, Module(name="invoices", jobs=(job,))], database=database)
    if isinstance(own.queue, InProcessQueue):
        own.queue.eager = False
    async with running(own, background=False):
        await create_user(own, Identity(provider="test", subject="1", email="ada@example.com", name="Ada"))
        async with own.database.transaction() as session:
            await session.execute(update(users).values(is_active=active))
            user_id = await session.scalar(select(users.c.id))
            await own.queue.enqueue(session, job, str(user_id), 7)
        await own.queue.drain()
        sent = [printed for printed in own.resource(ConsoleEmail).outbox if printed.key == "invoice/7"]

    # Nothing is sent to a deactivated user.
    assert [printed.to for printed in sent] == ["ada@example.com"] * active
    for printed in sent:
        assert printed.message.subject == "Invoice 7"
        assert "Hello Ada, your invoice 7 is ready" in printed.message.text
        assert "/invoices/7" in printed.message.text
