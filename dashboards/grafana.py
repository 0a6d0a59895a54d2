"""Grafana's model of a dashboard, as far as the rendered project's dashboards need it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SCHEMA_VERSION: Final = 39
DATASOURCE: Final = {"type": "prometheus", "uid": "prometheus"}
COLUMNS: Final = 3
WIDTH: Final = 24 // COLUMNS
HEIGHT: Final = 8

type Json = dict[str, Any]
"""A JSON object; its values are of the types that `json` writes."""


@dataclass(frozen=True, slots=True)
class Query:
    """A PromQL expression, and the legend of its series with labels in double braces."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """A graph over time.

    Attributes:
        unit: Grafana's id of a unit, such as `s`, `reqps`, `percentunit`, `short`.
        help: shown when the pointer is over the panel's title.
    """

    title: str
    unit: str
    queries: Sequence[Query]
    help: str = ""

    def to_json(self, id_: int) -> Json:
        """Return Grafana's form of the panel, placed by its number, which counts from 1."""
        row, column = divmod(id_ - 1, COLUMNS)
        return {
            "id": id_,
            "type": "timeseries",
            "title": self.title,
            "description": self.help,
            "datasource": DATASOURCE,
            "gridPos": {"h": HEIGHT, "w": WIDTH, "x": column * WIDTH, "y": row * HEIGHT},
            "fieldConfig": {"defaults": {"unit": self.unit, "min": 0}, "overrides": []},
            "options": {
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
                "tooltip": {"mode": "multi", "sort": "desc"},
            },
            "targets": [
                {"refId": chr(ord("A") + index), "datasource": DATASOURCE, "expr": one.expr, "legendFormat": one.legend}
                for index, one in enumerate(self.queries)
            ],
        }


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A page of panels. Its uid is part of its address in Grafana, so it does not change."""

    uid: str
    title: str
    panels: Sequence[Panel] = field(default_factory=tuple)

    def to_text(self) -> str:
        """Return the file that Grafana provisions."""
        content = {
            "uid": self.uid,
            "title": self.title,
            "tags": ["application"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "timezone": "browser",
            "refresh": "30s",
            "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": []},
            "annotations": {"list": []},
            "links": [
                {
                    "type": "dashboards",
                    "title": "Dashboards",
                    "tags": ["application"],
                    "asDropdown": True,
                    "icon": "doc",
                }
            ],
            "panels": [panel.to_json(number) for number, panel in enumerate(self.panels, start=1)],
        }
        return json.dumps(content, indent=2) + "\n"
