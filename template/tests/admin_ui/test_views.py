"""The description of the views, read from the modules' admin routes."""

from datetime import date, datetime
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from app.admin.ui.fields import title_of
from app.admin.ui.schemas import ActionRead, ViewRead
from app.admin.ui.views import DescribedViews
from app.core.admin_view import AdminAction, AdminView
from app.core.db.pagination import ListQuery, Page, PageDep
from app.core.manifest import Module
from app.modules import MODULES


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class CarRead(BaseModel):
    """A car."""

    id: UUID
    name: str
    color: Color | None
    is_electric: bool
    seats: int
    price: float
    built_on: date
    sold_at: datetime | None
    extras: dict[str, str]
    user_id: UUID
    garage_id: UUID


class CarDetail(CarRead):
    """A car with its history."""

    history: list[str]


class CarWrite(BaseModel):
    """A new car."""

    name: str = Field(max_length=50)
    notes: str | None = Field(default=None, max_length=5000, description="Free text.")
    color: Color = Color.RED
    seats: int = Field(ge=1, le=9)


class Paint(BaseModel):
    """A colour to paint a car in."""

    color: Color


class CarFilters(ListQuery):
    """The query of the list of cars."""

    search: Annotated[str | None, Field(description="Part of a name.")] = None
    sort: Literal["name", "-name"] | None = None
    color: Annotated[list[Color] | None, Field(description="Only cars of this colour.")] = None
    is_electric: bool | None = None


router = APIRouter(prefix="/cars")


@router.get("")
async def list_cars(query: Annotated[CarFilters, Query()]) -> Page[CarRead]:
    """List cars."""
    raise NotImplementedError


@router.post("")
async def create_car(data: CarWrite) -> CarRead:
    """Create a car."""
    raise NotImplementedError


@router.get("/{car_id}")
async def get_car(car_id: UUID) -> CarDetail:
    """Get a car."""
    raise NotImplementedError


@router.patch("/{car_id}")
async def update_car(car_id: UUID, data: CarWrite) -> CarRead:
    """Update a car."""
    raise NotImplementedError


@router.post("/{car_id}/paint")
async def paint_car(car_id: UUID, data: Paint) -> CarRead:
    """Paint a car.

    The old colour is lost.
    """
    raise NotImplementedError


@router.post("/{car_id}/wash")
async def wash_car(car_id: UUID) -> CarRead:
    """Wash a car."""
    raise NotImplementedError


@router.delete("/{car_id}", status_code=204)
async def delete_car(car_id: UUID) -> None:
    """Delete a car."""
    raise NotImplementedError


@router.get("/{car_id}/trips")
async def list_trips(car_id: UUID, page: PageDep) -> Page[CarRead]:
    """List a car's trips."""
    raise NotImplementedError


@router.get("/makers/{name}")
async def get_maker(name: str) -> CarRead:
    """Get a maker."""
    raise NotImplementedError


log = APIRouter(prefix="/log")


class LogPage(BaseModel):
    """A page of a log."""

    items: list[Paint]
    next_cursor: str | None


@log.get("")
async def list_entries(
    cursor: str | None = None,
    limit: int = 50,
    format: Literal["json", "csv"] = "json",  # noqa: A002 - the parameter's name
) -> LogPage:
    """List entries."""
    raise NotImplementedError


@log.get("/stats")
async def read_stats() -> dict[str, int]:
    """Return numbers."""
    raise NotImplementedError


def described(*views: AdminView) -> list[ViewRead]:
    module = Module(name="cars", admin_router=router, admin_views=views)
    return list(DescribedViews.of([module, Module(name="log", admin_router=log)]).views)


def only(view: AdminView) -> ViewRead:
    (found,) = described(view)
    assert found.problem is None
    return found


CARS = AdminView(title="Cars", path="/cars")


class TestOneLine:
    """Everything follows from the routes."""

    def test_columns_are_the_first_fields_of_the_response_without_its_key(self) -> None:
        view = only(CARS)

        names = [column.name for column in view.columns]
        assert names == ["name", "color", "is_electric", "seats", "price", "built_on"]
        assert (view.key, view.label) == ("id", "name")

    def test_fields_are_those_of_the_detail_route(self) -> None:
        kinds = {field.name: field.kind for field in only(CARS).fields}

        assert kinds == {
            "id": "id",
            "name": "text",
            "color": "choice",
            "is_electric": "boolean",
            "seats": "integer",
            "price": "number",
            "built_on": "date",
            "sold_at": "datetime",
            "extras": "json",
            "user_id": "id",
            "garage_id": "id",
            "history": "json",
        }

    def test_parameters_are_search_sort_paging_and_filters(self) -> None:
        view = only(CARS)

        assert (view.search, view.sort, view.paging) == ("Part of a name.", ["name", "-name"], "offset")
        color, electric = view.filters
        assert (color.name, color.kind, color.choices) == ("color", "choice", ["red", "blue"])
        assert color.description == "Only cars of this colour."
        assert (electric.name, electric.title, electric.kind) == ("is_electric", "Electric", "boolean")

    def test_a_list_with_a_cursor_and_formats(self) -> None:
        view = only(AdminView(title="Log", path="/log", key="color"))

        assert (view.paging, view.page_size, view.exports, view.filters) == ("cursor", 50, ["csv"], [])
        assert (view.has_item, view.actions) == (False, [])

    def test_bodies_are_forms(self) -> None:
        view = only(CARS)

        assert view.create is not None
        assert view.edit is not None
        assert view.edit.title == "Update car"
        name, notes, color, seats = view.create.fields
        assert (name.required, name.max_length, name.kind) == (True, 50, "text")
        assert (notes.nullable, notes.kind, notes.description) == (True, "long_text", "Free text.")
        assert (color.required, color.default, color.choices) == (False, "red", ["red", "blue"])
        assert (seats.minimum, seats.maximum) == (1, 9)

    def test_routes_below_an_item_that_change_it_are_buttons(self) -> None:
        buttons = {(action.method, action.path): action for action in only(CARS).actions}

        assert list(buttons) == [("DELETE", ""), ("POST", "/paint"), ("POST", "/wash")]
        paint = buttons["POST", "/paint"]
        assert (paint.label, paint.confirm, paint.danger) == (
            "Paint car",
            "Paint a car.\n\nThe old colour is lost.",
            False,
        )
        assert [field.name for field in paint.fields] == ["color"]
        assert buttons["DELETE", ""].danger


class TestDeclared:
    def test_columns_and_label(self) -> None:
        view = only(AdminView(title="Cars", path="/cars", columns=("seats", "name"), label="name"))

        assert [column.name for column in view.columns] == ["seats", "name"]
        assert view.label == "name"

    def test_links_lead_to_views_that_exist(self) -> None:
        def links(*others: AdminView) -> dict[str, str]:
            cars, *_ = described(AdminView(title="Cars", path="/cars", links={"garage_id": "/garages"}), *others)
            return {field.name: field.link for field in cars.fields if field.link is not None}

        assert links() == {}
        assert links(AdminView(title="Users", path="/users")) == {"user_id": "/users"}
        assert links(AdminView(title="Garages", path="/garages")) == {"garage_id": "/garages"}

    def test_actions(self) -> None:
        wash = AdminAction(path="/wash", label="Clean", confirm="Sure?", only_if={"color": (Color.RED,)}, danger=True)
        hidden = AdminAction(method="DELETE", hidden=True)
        view = only(AdminView(title="Cars", path="/cars", actions=(wash, hidden)))

        assert [action.label for action in view.actions] == ["Paint car", "Clean"]
        assert view.actions[1] == ActionRead(
            method="POST",
            path="/wash",
            label="Clean",
            confirm="Sure?",
            only_if={"color": ["red"]},
            danger=True,
            fields=[],
        )


class TestMistakes:
    @pytest.mark.parametrize(
        ("view", "problem"),
        [
            (AdminView(title="X", path="/carz"), "No module has an admin route GET /carz that returns a list"),
            (
                AdminView(title="X", path="/log/stats"),
                "No module has an admin route GET /log/stats that returns a list",
            ),
            (AdminView(title="X", path="/cars", columns=("nmae",)), "The items of GET /cars have no field nmae"),
            (AdminView(title="X", path="/cars", key="vin"), "The items of GET /cars have no field vin"),
            (
                AdminView(title="X", path="/cars", actions=(AdminAction(path="/burn"),)),
                "No module has an admin route POST /cars/{id}/burn",
            ),
        ],
        ids=["unknown path", "no list", "unknown column", "unknown key", "unknown action"],
    )
    def test_are_the_problem_of_their_view_alone(self, view: AdminView, problem: str) -> None:
        wrong, right = described(view, CARS)

        assert (wrong.title, wrong.problem) == ("X", f"{problem}.")
        assert right.problem is None


@pytest.mark.every_module
def test_the_views_of_all_modules_are_declared_correctly() -> None:
    views = DescribedViews.of(MODULES).views

    assert {view.path: view.problem for view in views if view.problem is not None} == {}
    assert len({view.path for view in views}) == len(views)


@pytest.mark.parametrize(
    ("name", "given", "title"),
    [
        ("is_active", "Is Active", "Active"),
        ("user_id", "User Id", "User ID"),
        ("add-user", None, "Add user"),
        ("url", "Web address", "Web address"),
    ],
)
def test_titles(name: str, given: str | None, title: str) -> None:
    assert title_of(name, given) == title
