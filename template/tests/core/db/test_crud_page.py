"""The examples of docs/crud.md."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import MetaData, UniqueConstraint
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import Field
from uuid_utils.compat import uuid7

from app.core.db.database import Database
from app.core.db.models import Entity
from tests.pages import run_examples
from tests.statements import statements_of

ME, OTHER = uuid7(), uuid7()


class Customer(Entity, table=True):
    """A customer."""

    metadata = MetaData()
    __tablename__ = "example_customers"

    name: str


class Invoice(Entity, table=True):
    """An invoice."""

    metadata = Customer.metadata
    __tablename__ = "example_invoices"
    __table_args__ = (UniqueConstraint("number", name="uq_example_invoices_number"),)

    owner_id: UUID
    customer_id: UUID | None = Field(default=None, foreign_key="example_customers.id")
    number: str
    net: int = 0
    tax: int = 0
    paid: bool = False


class Line(Entity, table=True):
    """A line of an invoice."""

    metadata = Customer.metadata
    __tablename__ = "example_lines"

    invoice_id: UUID = Field(foreign_key="example_invoices.id")


@pytest.fixture
async def examples(session: AsyncSession) -> dict[str, Any]:
    """The names of the page, and `invoices`, with ten of them."""
    await (await session.connection()).run_sync(Customer.metadata.create_all)
    names: dict[str, Any] = {"Invoice": Invoice, "Customer": Customer, "Line": Line}
    assert run_examples("crud.md", names) == 4
    names["invoices"] = names["InvoiceRepository"](session)
    rows = [{"number": f"A-{number}", "net": number * 20, "tax": number} for number in range(10)]
    assert await names["import_invoices"](names["invoices"], rows, ME) == 10
    return names


async def test_many_rows(examples: dict[str, Any]) -> None:
    invoices, renumber = examples["invoices"], examples["renumber"]
    one, two, *_ = await invoices.get_multi_by_owner(ME)
    assert await invoices.count_by_owner(ME) == 10
    assert await renumber(invoices, {one.id: "B-1", two.id: "B-2"}, ME)
    assert [one.number, two.number] == ["B-1", "B-2"]
    assert not await renumber(invoices, {one.id: "C-1", two.id: "A-1"}, ME)
    assert not await renumber(invoices, {one.id: "C-1"}, OTHER)
    await invoices.session.refresh(one)
    assert one.number == "B-1"


async def test_joined_and_computed_fields(examples: dict[str, Any], database: Database) -> None:
    invoices = examples["invoices"]
    largest, *_ = await invoices.get_multi_by_owner(ME)
    customer = Customer(name="Ada")
    invoices.session.add_all([customer, Line(invoice_id=largest.id), Line(invoice_id=largest.id)])
    await invoices.session.flush()
    await invoices.update(largest, {"customer_id": customer.id})

    with statements_of(database) as statements:
        page = await examples["largest"](invoices, ME)

    assert len(statements) == 1
    assert page.total == 5
    assert page.items[0].model_dump() == {"number": "A-9", "customer": "Ada", "lines": 2, "gross": 189}
    assert page.items[1].model_dump() == {"number": "A-8", "customer": None, "lines": 0, "gross": 168}


async def test_updated_at(examples: dict[str, Any]) -> None:
    invoices = examples["invoices"]
    invoice, *_ = await invoices.get_multi_by_owner(ME)
    before = invoice.updated_at
    assert (await examples["pay"](invoices, invoice)).updated_at > before
    before, invoice.paid = invoice.updated_at, False
    assert invoice.updated_at == before
    await invoices.session.flush()
    assert invoice.updated_at > before
