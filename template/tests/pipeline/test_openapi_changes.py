"""Each change of an API that breaks clients is found, and none that doesn't."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from app.dev.pipeline.openapi_changes import breaking_changes
from app.main import create_app

type Json = dict[str, Any]

ITEM: Json = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 100},
        "size": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
        "kind": {"type": "string", "enum": ["a", "b"]},
        "parent": {"anyOf": [{"$ref": "#/components/schemas/Item"}, {"type": "null"}]},
    },
    "required": ["name"],
}


INPUT: Json = copy.deepcopy(ITEM)
INPUT["properties"]["parent"] = {"$ref": "#/components/schemas/Input"}


def content(name: str) -> Json:
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


BASE: Json = {
    "paths": {
        "/items": {
            "post": {
                "operationId": "create",
                "security": [],
                "parameters": [{"in": "query", "name": "q", "schema": {"type": "string"}}],
                "requestBody": {**content("Input")},
                "responses": {"201": content("Item"), "422": content("Error")},
            },
            "get": {"operationId": "list", "security": [{"bearer": []}], "responses": {"200": content("Item")}},
        }
    },
    "components": {"schemas": {"Item": ITEM, "Input": INPUT, "Error": {"type": "object"}}},
}

type Change = Callable[[Json], object]


def post(document: Json) -> Json:
    operation: Json = document["paths"]["/items"]["post"]
    return operation


def schema(document: Json, name: str) -> Json:
    found: Json = document["components"]["schemas"][name]
    return found


BREAKS: dict[str, tuple[Change, str]] = {
    "path": (lambda d: d["paths"].clear(), "GET /items: was removed"),
    "method": (lambda d: d["paths"]["/items"].pop("get"), "GET /items: was removed"),
    "operation id": (lambda d: post(d).update(operationId="make"), "operationId was create and is make"),
    "security": (lambda d: post(d).update(security=[{"bearer": []}]), "now requires authentication"),
    "parameter required": (lambda d: post(d)["parameters"][0].update(required=True), "query parameter q: is now req"),
    "parameter removed": (lambda d: post(d).update(parameters=[]), "query parameter q: was removed"),
    "parameter type": (
        lambda d: post(d)["parameters"][0].update(schema={"type": "integer"}),
        "query parameter q: no longer accepts string",
    ),
    "new required parameter": (
        lambda d: post(d)["parameters"].append({"in": "header", "name": "X", "required": True, "schema": {}}),
        "header parameter X: is now required",
    ),
    "body required": (lambda d: post(d)["requestBody"].update(required=True), "a request body is now required"),
    "body media type": (
        lambda d: post(d)["requestBody"].update(content={"text/plain": {"schema": {}}}),
        "request body: application/json was removed",
    ),
    "status": (lambda d: post(d)["responses"].pop("201"), "response 201: was removed"),
    "request field required": (lambda d: schema(d, "Input")["required"].append("size"), "body.size: is now required"),
    "request not nullable": (
        lambda d: schema(d, "Input")["properties"].update(size={"type": "integer"}),
        "body.size: no longer accepts null",
    ),
    "request limit": (
        lambda d: schema(d, "Input")["properties"]["name"].update(maxLength=10),
        "body.name: maxLength is now 10",
    ),
    "request lower limit": (
        lambda d: schema(d, "Input")["properties"]["name"].update(minLength=1),
        "body.name: minLength is now 1",
    ),
    "request pattern": (
        lambda d: schema(d, "Input")["properties"]["name"].update(pattern="^a$"),
        "body.name: pattern is now ^a$",
    ),
    "request enum": (
        lambda d: schema(d, "Input")["properties"]["kind"].update(enum=["a"]),
        "body.kind: no longer accepts 'b'",
    ),
    "request closed": (
        lambda d: (schema(d, "Input").update(additionalProperties=False), schema(d, "Input")["properties"].pop("kind")),
        "body.kind: is no longer accepted",
    ),
    "response field removed": (
        lambda d: schema(d, "Item")["properties"].pop("kind"),
        "200.kind: is no longer returned",
    ),
    "response field optional": (lambda d: schema(d, "Item").update(required=[]), "200.name: is no longer always ret"),
    "response nullable": (
        lambda d: schema(d, "Item")["properties"].update(name={"anyOf": [{"type": "string"}, {"type": "null"}]}),
        "response 200.name: may now be null",
    ),
    "response type": (
        lambda d: schema(d, "Item")["properties"].update(name={"type": "integer"}),
        "response 200.name: may now be integer",
    ),
    "response enum": (
        lambda d: schema(d, "Item")["properties"]["kind"].update(enum=["a", "b", "c"]),
        "response 200.kind: may now be 'c'",
    ),
    "response enum is gone": (
        lambda d: schema(d, "Item")["properties"]["kind"].pop("enum"),
        "response 200.kind: may now be any value, not only a, b",
    ),
}

FITS: dict[str, Change] = {
    "nothing": lambda _d: None,
    "new path": lambda d: d["paths"].update({"/more": {"get": {"responses": {}}}}),
    "new optional parameter": lambda d: post(d)["parameters"].append({"in": "query", "name": "x", "schema": {}}),
    "new optional field": lambda d: schema(d, "Input")["properties"].update(extra={"type": "string"}),
    "new response field": lambda d: schema(d, "Item")["properties"].update(extra={"type": "string"}),
    "wider limit": lambda d: schema(d, "Input")["properties"]["name"].update(maxLength=200),
    "request takes more": lambda d: schema(d, "Input")["properties"]["kind"].update(enum=["a", "b", "c"]),
    "response has fewer values": lambda d: schema(d, "Item")["properties"]["kind"].update(enum=["a"]),
    "response is required": lambda d: schema(d, "Item")["required"].append("kind"),
    "public operation": lambda d: d["paths"]["/items"]["get"].update(security=[]),
    "an error's format": lambda d: post(d)["responses"].pop("422"),
    "a description": lambda d: post(d).update(summary="Create an item."),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_found(name: str) -> None:
    change, said = BREAKS[name]
    new = copy.deepcopy(BASE)
    change(new)
    found = breaking_changes(BASE, new)
    assert any(said in line for line in found), found


@pytest.mark.parametrize("name", FITS)
def test_a_change_that_clients_do_not_notice_is_no_break(name: str) -> None:
    new = copy.deepcopy(BASE)
    FITS[name](new)
    assert breaking_changes(BASE, new) == []


def test_this_application_compares_with_itself_and_each_removed_operation_is_found() -> None:
    document = create_app().openapi()
    assert breaking_changes(document, document) == []
    operations = sum(len(methods) for methods in document["paths"].values())
    assert len(breaking_changes(document, {"paths": {}})) == operations
