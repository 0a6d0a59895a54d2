"""What a user builds on a rendered project: a module with a table, its registration, a setting, a package."""

from tests.updates.workshop import Project

MODELS = '''\
"""The invoices' table."""

from uuid import UUID

from sqlmodel import Field

from app.core.db.models import Entity


class Invoice(Entity, table=True):
    """What somebody owes."""

    __tablename__ = "invoices"

    owner_id: UUID = Field(foreign_key="users.id", ondelete="CASCADE")
    cents: int = 0
'''
SETTINGS = '''\
"""The invoices' settings."""

from app.core.config.settings import ModuleSettings


class InvoiceSettings(ModuleSettings):
    """Where they are sent."""

    INVOICE_INBOX: str = "nowhere"
'''
MANIFEST = '''\
"""Invoices."""

from app.core.manifest import Module
from app.invoices.models import Invoice
from app.invoices.settings import InvoiceSettings

module = Module(name="invoices", models=(Invoice,), settings=(InvoiceSettings,))
'''
REGISTERED = '''\
"""My modules."""

from app.core.manifest import Module
from app.invoices.module import module as invoices

MODULES: tuple[Module, ...] = (invoices,)
'''
PACKAGE = '"humanize>=4"'


def add_own_module(made: Project) -> list[str]:
    """Write a module of the user's into a project and list its files."""
    files = {
        "app/invoices/__init__.py": "",
        "app/invoices/models.py": MODELS,
        "app/invoices/settings.py": SETTINGS,
        "app/invoices/module.py": MANIFEST,
        "app/project_modules.py": REGISTERED,
    }
    for path, text in files.items():
        made.write(path, text)
    return list(files)


def add_own_package(made: Project) -> None:
    """Put a package among the template's, in order, as `uv add` does."""
    lines = made.read("pyproject.toml").splitlines(keepends=True)
    start = lines.index("dependencies = [\n") + 1
    end = lines.index("]\n", start)
    place = next((number for number in range(start, end) if lines[number].strip() > PACKAGE), end)
    made.write("pyproject.toml", "".join([*lines[:place], f"    {PACKAGE},\n", *lines[place:]]))
