"""Dashboards, alerts and their pages stay consistent with the metrics and the commands of the application."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click
import pytest
import yaml

from app.cli.main import cli
from app.core.manifest import Module
from app.metrics.instruments import Instruments
from app.modules import MODULES

ROOT: Final = Path(__file__).resolve().parents[2]
DASHBOARDS: Final = sorted((ROOT / "monitoring" / "grafana" / "dashboards").glob("*.json"))
RULES: Final = sorted((ROOT / "monitoring" / "prometheus" / "rules").glob("*.yml"))
PAGES: Final = sorted((ROOT / "docs" / "alerts").glob("*.md"))
NOT_RECORDED: Final = {"app_figure", "app_metrics_snapshot_success", "app_metrics_snapshot_age_seconds", "up"}
NOT_A_NAME: Final = re.compile(r'"[^"]*"|\{[^{}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)')
NAME: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?!\s*\()\b(?!\s*\()")
OPERATORS: Final = {"and", "or", "unless", "bool"}
GRID: Final = 24
SUFFIXES: Final = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_count", "_sum"),
    "summary": ("_count", "_sum"),
}
"""The endings of the samples of a family, by its type."""
EXAMPLE_ID: Final = "00000000-0000-7000-8000-000000000000"


def names_in(expression: str) -> set[str]:
    """Return the names of metrics in a PromQL expression."""
    return set(NAME.findall(NOT_A_NAME.sub(" ", NOT_A_NAME.sub(" ", expression)))) - OPERATORS


def exposed() -> set[str]:
    """Return the names of all samples that the application exposes."""
    instruments = Instruments(Path())
    metrics = [
        metric
        for group in (instruments.traffic, instruments.work, instruments.processes)
        for metric in vars(group).values()
    ]
    # `describe` names the families; a counter's samples end with `_total`, a histogram's with these three.
    families = [family for metric in metrics for family in metric.describe()]
    names = {f"{family.name}{suffix}" for family in families for suffix in SUFFIXES[family.type]}
    gauges = {gauge.name for module in MODULES if isinstance(module, Module) for gauge in module.gauges}
    return names | gauges | NOT_RECORDED


def rules() -> Iterator[dict[str, Any]]:
    """Return all rules of Prometheus."""
    for file in RULES:
        for group in yaml.safe_load(file.read_text(encoding="utf-8"))["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerts by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def headings(page: Path) -> set[str]:
    """Return the anchors of a page's sections."""
    return {line[3:].lower() for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("## ")}


class TestNames:
    @pytest.mark.parametrize(
        ("expression", "names"),
        [
            ('sum by (le, a) (rate(x_bucket{b="c"}[5m])) > 0.5', {"x_bucket"}),
            ('max(a_b{x=~".*{y}.*"}) or vector(0)', {"a_b"}),
            ("1 - a:b:ratio / on (x) c", {"a:b:ratio", "c"}),
        ],
    )
    def test_names_are_found_in_expressions(self, expression: str, names: set[str]) -> None:
        assert names_in(expression) == names


class TestDashboards:
    @pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
    def test_has_the_structure_that_grafana_reads(self, file: Path) -> None:
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        assert (dashboard["uid"], bool(dashboard["title"])) == (f"app-{file.stem}", True)
        panels = dashboard["panels"]
        assert [panel["id"] for panel in panels] == list(range(1, len(panels) + 1))
        for panel in panels:
            assert (panel["type"], panel["datasource"]["uid"]) == ("timeseries", "prometheus")
            assert panel["gridPos"]["x"] + panel["gridPos"]["w"] <= GRID
            assert panel["fieldConfig"]["defaults"]["unit"]
            references = [target["refId"] for target in panel["targets"]]
            assert references
            assert len(references) == len(set(references))

    @pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
    def test_uses_metrics_that_exist(self, file: Path) -> None:
        panels = json.loads(file.read_text(encoding="utf-8"))["panels"]
        used = {name for panel in panels for target in panel["targets"] for name in names_in(target["expr"])}
        assert used
        assert used <= exposed()


class TestRules:
    def test_they_use_metrics_that_exist(self) -> None:
        recorded = {rule["record"] for rule in rules() if "record" in rule}
        assert {name for rule in rules() for name in names_in(rule["expr"])} <= exposed() | recorded

    @pytest.mark.parametrize("name", sorted(alerts()))
    def test_every_alert_has_a_page(self, name: str) -> None:
        path, _, anchor = alerts()[name]["annotations"]["runbook_url"].partition("#")
        assert anchor == name.lower()
        assert anchor in headings(ROOT / path)

    def test_every_section_of_a_page_is_of_an_alert(self) -> None:
        assert {heading for page in PAGES for heading in headings(page)} == {name.lower() for name in alerts()}

    def test_every_alert_has_a_test_in_which_it_fires_and_one_in_which_it_is_silent(self) -> None:
        tested = {
            (case["alertname"], bool(case["exp_alerts"]))
            for file in RULES
            for test in yaml.safe_load((file.parents[1] / "tests" / file.name).read_text(encoding="utf-8"))["tests"]
            for case in test["alert_rule_test"]
        }
        assert tested == {(name, fires) for name in alerts() for fires in (True, False)}

    def test_every_alert_has_a_severity(self) -> None:
        assert {alert["labels"]["severity"] for alert in alerts().values()} <= {"page", "ticket"}


class TestPages:
    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
    def test_their_commands_exist(self, page: Path) -> None:
        for line in re.findall(r"`uv run app ([^`]*)`", page.read_text(encoding="utf-8")):
            arguments = shlex.split(line.replace("ID", EXAMPLE_ID))
            command: click.Command = cli
            context = click.Context(cli)
            while isinstance(command, click.Group):
                found = command.get_command(context, arguments.pop(0))
                assert found is not None, line
                command = found
            # The arguments are parsed; the command does not run.
            command.make_context(line, arguments)


class TestCompose:
    """The files of the compose profile `observability` agree with each other and with what the programs document."""

    COMPOSE: Final = yaml.safe_load((ROOT / "monitoring" / "compose.yaml").read_text(encoding="utf-8"))
    PROVISIONING: Final = ROOT / "monitoring" / "grafana" / "provisioning"

    def mounts(self, service: str) -> dict[str, Path]:
        """Return the files of the project by their path in the container."""
        volumes = (volume.split(":") for volume in self.COMPOSE["services"][service]["volumes"])
        return {target: ROOT / source for source, target, *_ in volumes if source.startswith("./")}

    def test_everything_that_is_mounted_exists(self) -> None:
        mounted = [path for service in self.COMPOSE["services"] for path in self.mounts(service).values()]
        assert mounted
        assert [path for path in mounted if not path.exists()] == []

    def test_prometheus_reads_the_mounted_configuration_and_token(self) -> None:
        service = self.COMPOSE["services"]["prometheus"]
        folder = self.mounts("prometheus")["/etc/prometheus"]
        flags = dict(flag.removeprefix("--").split("=") for flag in service["command"])
        assert flags["config.file"] == "/etc/prometheus/prometheus.yml"
        config = yaml.safe_load((folder / "prometheus.yml").read_text(encoding="utf-8"))
        (scrape,) = config["scrape_configs"]
        assert scrape["authorization"]["credentials_file"] == f"/run/secrets/{service['secrets'][0]}"
        assert self.COMPOSE["secrets"][service["secrets"][0]] == {"environment": "METRICS_TOKEN"}
        assert [list(folder.glob(pattern)) for pattern in config["rule_files"]]

    def test_the_data_source_is_that_of_the_dashboards(self) -> None:
        """See https://grafana.com/docs/grafana/latest/administration/provisioning/#data-sources."""
        file = yaml.safe_load((self.PROVISIONING / "datasources" / "prometheus.yml").read_text(encoding="utf-8"))
        (source,) = file["datasources"]
        assert (file["apiVersion"], source["type"], source["access"]) == (1, "prometheus", "proxy")
        assert source.keys() <= {"name", "uid", "type", "access", "url", "isDefault", "editable", "jsonData"}
        assert source["url"] == "http://prometheus:9090"
        assert "prometheus" in self.COMPOSE["services"]
        panels = [panel for file in DASHBOARDS for panel in json.loads(file.read_text(encoding="utf-8"))["panels"]]
        assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}

    def test_the_dashboards_are_provided_from_their_mounted_folder(self) -> None:
        """See https://grafana.com/docs/grafana/latest/administration/provisioning/#dashboards."""
        file = yaml.safe_load((self.PROVISIONING / "dashboards" / "files.yml").read_text(encoding="utf-8"))
        (provider,) = file["providers"]
        assert (file["apiVersion"], provider["type"]) == (1, "file")
        assert provider.keys() <= {"name", "folder", "type", "allowUiUpdates", "options", "updateIntervalSeconds"}
        mounts = self.mounts("grafana")
        assert mounts[provider["options"]["path"]] == DASHBOARDS[0].parent
        assert mounts["/etc/grafana/provisioning"] == self.PROVISIONING

    @pytest.mark.parametrize("file", DASHBOARDS, ids=lambda file: file.stem)
    def test_a_dashboard_has_the_documented_fields(self, file: Path) -> None:
        """See https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/."""
        dashboard = json.loads(file.read_text(encoding="utf-8"))
        assert isinstance(dashboard["schemaVersion"], int)
        assert dashboard["time"].keys() == {"from", "to"}
        assert dashboard.get("id") is None
