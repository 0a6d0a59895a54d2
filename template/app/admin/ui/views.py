"""The views that the modules declare, completed with what their admin routes say about themselves."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fastapi import FastAPI

from app.admin.ui.fields import Schema, SchemaReader
from app.admin.ui.schemas import ActionRead, FieldRead, FormRead, ViewRead
from app.core.admin_view import AdminAction, AdminView
from app.core.manifest import Module

type Operation = Mapping[str, Any]

DEFAULT_COLUMNS: Final = 6
DEFAULT_PAGE_SIZE: Final = 20
STATISTICS: Final = "/dashboard/stats"
USERS: Final = "/users"
_NO_FILTERS: Final = frozenset({"skip", "limit", "cursor", "sort", "search", "format"})
_JSON: Final = "json"
_CHANGES: Final = ("post", "put", "delete")


class AdminViewError(Exception):
    """The declaration of a view doesn't fit the module's routes."""


@dataclass(frozen=True, slots=True)
class DescribedViews:
    """The views of an application, in the order of its modules."""

    views: tuple[ViewRead, ...]
    statistics: str | None

    @classmethod
    def of(cls, modules: Sequence[Module]) -> "DescribedViews":
        """Describe the views of the modules. A wrong declaration becomes the `problem` of its view."""
        application = FastAPI()
        for module in modules:
            if module.admin_router is not None:
                application.include_router(module.admin_router)
        document = application.openapi()
        declared = [view for module in modules for view in module.admin_views]
        describer = _Describer(document, frozenset(view.path for view in declared))
        views = tuple(describer.described(view) for view in declared)
        return cls(views, STATISTICS if "get" in document["paths"].get(STATISTICS, {}) else None)


class _Describer:
    """Reads views from the OpenAPI document of all admin routes."""

    def __init__(self, document: Mapping[str, Any], viewed: frozenset[str]) -> None:
        self._paths: Mapping[str, Mapping[str, Operation]] = document["paths"]
        self._schemas = SchemaReader(document)
        self._viewed = viewed

    def described(self, view: AdminView) -> ViewRead:
        try:
            return self._describe(view)
        except AdminViewError as error:
            return ViewRead(title=view.title, path=view.path, problem=str(error))

    def _describe(self, view: AdminView) -> ViewRead:
        listing = self._paths.get(view.path, {}).get("get")
        items = self._schemas.items(_response(listing)) if listing is not None else None
        if listing is None or items is None:
            raise AdminViewError(f"No module has an admin route GET {view.path} that returns a list.")
        listed = self._linked(self._schemas.fields(items), view)
        by_name = {field.name: field for field in listed}
        # A random key tells a reader nothing.
        columns = view.columns or tuple(name for name in by_name if name != view.key)[:DEFAULT_COLUMNS] or (view.key,)
        label = view.label or columns[0]
        unknown = sorted({*columns, view.key, label} - by_name.keys())
        if unknown:
            raise AdminViewError(f"The items of GET {view.path} have no field {', '.join(unknown)}.")
        parameters = {each["name"]: each for each in listing.get("parameters", ()) if each["in"] == "query"}
        item = self._item(view.path)
        read = item.get("", {}).get("get")
        create = self._paths[view.path].get("post")
        return ViewRead(
            title=view.title,
            path=view.path,
            description=listing.get("description", ""),
            key=view.key,
            label=label,
            columns=[by_name[name] for name in columns],
            fields=self._linked(self._schemas.fields(_response(read)), view) if read else listed,
            filters=[self._parameter(each) for name, each in parameters.items() if name not in _NO_FILTERS],
            search=parameters["search"].get("description", "") if "search" in parameters else None,
            sort=self._choices(parameters, "sort"),
            paging="cursor" if "cursor" in parameters else "offset" if "skip" in parameters else "none",
            page_size=parameters.get("limit", {}).get("schema", {}).get("default", DEFAULT_PAGE_SIZE),
            exports=[each for each in self._choices(parameters, "format") if each != _JSON],
            has_item=read is not None,
            create=self._form(create) if create else None,
            edit=self._form(item[""]["patch"]) if "patch" in item.get("", {}) else None,
            actions=list(self._actions(view, item)),
        )

    def _item(self, path: str) -> dict[str, Mapping[str, Operation]]:
        """Return the operations of an item's routes, by the path after that of the item."""
        pattern = re.compile(re.escape(path) + r"/\{[^/{}]+\}((?:/[^/{}]+)*)")
        found = ((pattern.fullmatch(each), operations) for each, operations in self._paths.items())
        return {match[1]: operations for match, operations in found if match is not None}

    def _actions(self, view: AdminView, item: Mapping[str, Mapping[str, Operation]]) -> Iterator[ActionRead]:
        declared = {(each.method.lower(), each.path): each for each in view.actions}
        routes = {
            (method, rest): operation
            for rest, operations in item.items()
            for method, operation in operations.items()
            if method in _CHANGES
        }
        for method, rest in declared.keys() - routes.keys():
            raise AdminViewError(f"No module has an admin route {method.upper()} {view.path}/{{id}}{rest}.")
        for (method, rest), operation in routes.items():
            action = declared.get((method, rest), AdminAction())
            if not action.hidden:
                yield ActionRead(
                    method=method.upper(),
                    path=rest,
                    label=action.label or _sentence(operation["summary"]),
                    confirm=action.confirm or operation.get("description", ""),
                    only_if={name: list(values) for name, values in action.only_if.items()},
                    danger=action.danger or method == "delete",
                    fields=self._body(operation),
                )

    def _form(self, operation: Operation) -> FormRead:
        description = operation.get("description", "")
        return FormRead(title=_sentence(operation["summary"]), description=description, fields=self._body(operation))

    def _body(self, operation: Operation) -> list[FieldRead]:
        return self._schemas.fields(_json(operation.get("requestBody", {})))

    def _parameter(self, parameter: Mapping[str, Any]) -> FieldRead:
        schema, _ = self._schemas.resolve(parameter["schema"])
        # A filter that accepts several values gets one of them.
        single = schema.get("items", schema) if schema.get("type") == "array" else parameter["schema"]
        return self._schemas.field(parameter["name"], {**single, "description": parameter.get("description")})

    def _choices(self, parameters: Mapping[str, Mapping[str, Any]], name: str) -> list[str]:
        if name not in parameters:
            return []
        return [str(value) for value in self._schemas.field(name, parameters[name]["schema"]).choices]

    def _linked(self, fields: Sequence[FieldRead], view: AdminView) -> list[FieldRead]:
        links = {"user_id": USERS, **view.links}
        shown = {name: path for name, path in links.items() if path in self._viewed}
        return [field.model_copy(update={"link": shown.get(field.name)}) for field in fields]


def _response(operation: Operation) -> Schema:
    responses = operation.get("responses", {})
    return next((_json(response) for status, response in responses.items() if status.startswith("2")), {})


def _json(content: Mapping[str, Any]) -> Schema:
    schema: Schema = content.get("content", {}).get("application/json", {}).get("schema", {})
    return schema


def _sentence(summary: str) -> str:
    """Return a summary in sentence case: `Deactivate User`, derived from a function's name, as `Deactivate user`."""
    first, *rest = summary.split(" ")
    return " ".join([first, *(word.lower() if word.istitle() else word for word in rest)])
