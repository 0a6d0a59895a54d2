"""Every string, list and mapping that a request can carry has a limit, which is checked before anything else."""

from collections.abc import Iterator
from typing import Annotated, Any, cast

import pytest
from fastapi import FastAPI
from fastapi._compat import ModelField
from fastapi.dependencies.models import Dependant
from fastapi.routing import iter_route_contexts
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter

from app.kit.text import LengthBound, Line

type Schema = dict[str, Any]

SIZED = {"str", "bytes", "list", "set", "frozenset", "dict", "generator"}
UNLIMITED = {"any", "url", "multi-host-url", "json", "callable"}
BEFORE = {"function-before", "function-wrap", "function-plain"}


def violations(schema: Schema, where: str, *, in_url: bool = False) -> Iterator[str]:
    """Yield the places of a core schema where a value of any length reaches a validator or the application.

    Args:
        schema: pydantic's core schema.
        where: its place, for the message.
        in_url: the server limits the size of the value. It still must be short before a validator sees it.
    """
    kind = schema.get("type", "")
    if not in_url and (kind in UNLIMITED or (kind in SIZED and schema.get("max_length") is None)):
        yield f"{where}: {kind} without a limit"
    if kind in BEFORE and not isinstance(schema["function"]["function"], LengthBound):
        yield f"{where}: {kind} runs before the limit is checked"
    if "allow" in {schema.get("extra_behavior"), schema.get("config", {}).get("extra_fields_behavior")}:
        yield f"{where}: any number of unknown keys"
    for name, child in children(schema):
        inner = in_url and not kind.startswith("function-")
        yield from violations(child, f"{where}.{name}" if name else where, in_url=inner)


def children(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the schemas inside a schema, with the name of the field or an empty name."""
    for key, value in schema.items():
        if key == "fields" and isinstance(value, dict):
            yield from value.items()
        elif key in {"metadata", "serialization", "ref", "config", "default"}:
            continue
        elif isinstance(value, dict) and "type" in value:
            yield "", value
        elif isinstance(value, list):
            yield from (("", item) for item in value if isinstance(item, dict) and "type" in item)


def fields_of(dependant: Dependant) -> Iterator[tuple[ModelField, bool]]:
    """Yield every parameter and body of a route and its dependencies, and whether it is a parameter."""
    for part in ("path", "query", "header", "cookie", "body"):
        yield from ((field, part != "body") for field in getattr(dependant, f"{part}_params"))
    for dependency in dependant.dependencies:
        yield from fields_of(dependency)


def of_type(annotation: Any) -> list[str]:  # noqa: ANN401 - any type of a field
    return list(violations(cast("Schema", TypeAdapter(annotation).core_schema), "field"))


class Open(BaseModel):
    model_config = ConfigDict(extra="allow")


class Nested(BaseModel):
    names: Annotated[list[str], Field(max_length=3)]


class TestTheRule:
    @pytest.mark.parametrize(
        "annotation",
        [
            str,
            list[int],
            dict[str, int],
            str | None,
            Annotated[str, AfterValidator(str.lower), Field(max_length=5)],
            Open,
            Nested,
        ],
        ids=range(7),
    )
    def test_finds_fields_without_a_limit_or_with_a_late_one(self, annotation: object) -> None:
        assert of_type(annotation)

    @pytest.mark.parametrize(
        "annotation",
        [int, Annotated[str, Field(max_length=5), AfterValidator(str.lower)], Annotated[str, Line(max_length=5)]],
        ids=range(3),
    )
    def test_accepts_a_limit_that_comes_first(self, annotation: object) -> None:
        assert of_type(annotation) == []

    def test_accepts_the_limit_of_a_url_but_not_before_a_validator(self) -> None:
        checked = TypeAdapter(Annotated[str, AfterValidator(str.lower)])
        assert list(violations(cast("Schema", TypeAdapter(str).core_schema), "q", in_url=True)) == []
        assert list(violations(cast("Schema", checked.core_schema), "q", in_url=True)) == ["q: str without a limit"]


class TestEveryRequest:
    def test_has_limits_on_all_it_carries(self, app: FastAPI) -> None:
        found: list[str] = []
        for context in iter_route_contexts(app.routes):
            dependant = getattr(context.original_route, "dependant", None)
            if not isinstance(dependant, Dependant):
                continue
            for field, in_url in fields_of(dependant):
                adapter = cast("TypeAdapter[object]", field._type_adapter)  # noqa: SLF001 - FastAPI has no public way
                where = f"{sorted(context.methods or ())} {context.path} {field.name}"
                found += violations(cast("Schema", adapter.core_schema), where, in_url=in_url)

        assert found == []
