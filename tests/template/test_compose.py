"""compose.yaml and the image: services restart, logs rotate, and the image's user can write to every volume."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
import yaml
from omnistack.template.render import Renderer

from tests.conftest import CHECKOUT

USER = "app"
ONE_SHOT = {"migrate"}
"""Services that end: a restart would repeat them."""


@cache
def text(preset: str, path: str) -> str:
    return dict(Renderer(CHECKOUT).render({"preset": preset}))[path][1].decode()


def services(preset: str, path: str = "compose.yaml") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the services of a compose file and of those that it includes."""
    compose = yaml.safe_load(text(preset, path))
    yield from compose["services"].items()
    for included in compose.get("include", ()):
        yield from services(preset, included["path"])


@pytest.mark.parametrize("preset", ["minimal", "saas", "everything"])
def test_services_restart_and_their_logs_rotate(preset: str) -> None:
    for name, service in services(preset):
        assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped"), name
        assert {"max-size", "max-file"} <= service["logging"]["options"].keys(), name
        assert service.get("read_only") or "build" not in service, name


@pytest.mark.parametrize("preset", ["minimal", "saas", "everything"])
def test_the_image_s_user_owns_the_folders_of_the_volumes(preset: str) -> None:
    dockerfile = text(preset, "Dockerfile")
    owned = set(re.findall(rf"^RUN install --directory --owner={USER} --group={USER} (\S+)$", dockerfile, re.MULTILINE))
    volumes = {volume for _, service in services(preset) if "build" in service for volume in service.get("volumes", ())}
    mounted = {volume.split(":")[1] for volume in volumes}
    assert mounted == owned
    # An anonymous volume or a folder of the machine would be lost, or belong to another user.
    assert all(re.match(r"\w+:/", volume) for volume in volumes)


def test_the_machine_that_builds_does_not_decide_who_can_read_the_code() -> None:
    build = re.split(r"^FROM ", text("everything", "Dockerfile"), flags=re.MULTILINE)[1]
    assert re.search(r"chmod -R u=rwX,go=rX /srv\n+$", build)
