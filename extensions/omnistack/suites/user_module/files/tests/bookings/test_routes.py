"""Bookings over HTTP."""

import httpx
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col, select

from app.bookings.models import BookingLine
from tests.conftest import SignIn

BOOKINGS = "/api/v1/app/bookings"
BOOKING = {"room": "Blue", "first_day": "2027-02-28", "amount": "119.50"}


async def test_a_booking_belongs_to_its_owner(client: httpx.AsyncClient, sign_in: SignIn) -> None:
    owner = await sign_in(email="owner@example.com")
    stranger = await sign_in(email="stranger@example.com")

    created = await client.post(BOOKINGS, headers=owner, json=BOOKING)

    assert created.json() | {"id": ""} == {"id": "", "room": "Blue", "first_day": "2027-02-28", "state": "requested"}
    url = f"{BOOKINGS}/{created.json()['id']}"
    assert (await client.get(url, headers=owner)).json() == created.json()
    assert (await client.get(url, headers=stranger)).status_code == 404
    assert (await client.get(BOOKINGS, headers=stranger)).json()["total"] == 0


async def test_amounts_keep_their_cents(client: httpx.AsyncClient, sign_in: SignIn, session: AsyncSession) -> None:
    await client.post(BOOKINGS, headers=await sign_in(), json=BOOKING)

    amounts = (await session.scalars(select(col(BookingLine.amount)))).all()

    assert [str(amount) for amount in amounts] == ["119.50"]
