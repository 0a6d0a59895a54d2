"""The manifests in kubernetes/, by Kubernetes' own schemas and the rules of restricted pods."""

import os
import subprocess
from collections.abc import Iterator
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml

from tests.deployment.deployment import READINESS, ROOT, Deployment, Process, check, required_settings

FOLDER = ROOT / "kubernetes"
VERSION = "1.34"
LIVENESS = "/api/v1/public/health"

type Manifest = dict[str, Any]


def manifests() -> Iterator[Manifest]:
    for file in sorted(FOLDER.glob("*.yaml")):
        yield from yaml.safe_load_all(file.read_text(encoding="utf-8"))


def named(kind: str) -> dict[str, Manifest]:
    return {each["metadata"]["name"]: each for each in manifests() if each["kind"] == kind}


def pods() -> dict[str, Manifest]:
    """Return the description of each pod, by the name of what starts it."""
    found = named("Deployment") | named("Job")
    return {name: each["spec"]["template"]["spec"] for name, each in found.items()}


def seconds_before_drain(container: Manifest) -> int:
    return int(container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0))


@pytest.mark.parametrize("manifest", list(manifests()), ids=lambda each: f"{each['kind']}-{each['metadata']['name']}")
def test_a_manifest_is_valid(manifest: Manifest) -> None:
    kubernetes_validate.validate(manifest, VERSION, strict=True)


def test_the_manifests_fit_the_application() -> None:
    found = pods()
    migration = found.pop("migrate")["containers"][0]["args"]
    containers = {name: pod["containers"][0] for name, pod in found.items()}
    settings = frozenset(named("ConfigMap")["app"]["data"]) | required_settings()
    check(
        Deployment(
            migration=" ".join(migration),
            ready=containers["app"]["readinessProbe"]["httpGet"]["path"],
            processes={
                name: Process(
                    command=" ".join(container["args"]),
                    grace=found[name].get("terminationGracePeriodSeconds", 30) - seconds_before_drain(container),
                    settings=settings,
                )
                for name, container in containers.items()
            },
            mounts=frozenset(
                mount["mountPath"] for mount in containers["app"]["volumeMounts"] if mount["name"] != "tmp"
            ),
        )
    )
    assert containers["app"]["readinessProbe"]["httpGet"]["path"] == READINESS
    assert containers["app"]["livenessProbe"]["httpGet"]["path"] == LIVENESS


@pytest.mark.parametrize(("folder", "command"), [("s3://backups/shop", "backup create\n"), ("/backups", ""), ("", "")])
def test_a_backup_to_a_bucket_comes_before_the_migration(tmp_path: Path, folder: str, command: str) -> None:
    (backup,) = pods()["migrate"]["initContainers"]
    program = tmp_path / "app"
    program.write_text('#!/bin/sh\necho "$*" > "$NOTES"\n')
    program.chmod(0o755)
    notes = tmp_path / "notes"
    notes.touch()
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "NOTES": str(notes), "BACKUP_DIR": folder}
    subprocess.run(backup["args"], env=environment, check=True, timeout=60)
    assert notes.read_text() == command


@pytest.mark.parametrize("name", list(pods()))
def test_a_pod_is_restricted(name: str) -> None:
    """See https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted."""
    pod = pods()[name]
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert all({"emptyDir", "persistentVolumeClaim"} & volume.keys() for volume in pod["volumes"])
    for container in (*pod.get("initContainers", ()), *pod["containers"]):
        context = container["securityContext"]
        assert context["allowPrivilegeEscalation"] is False
        assert context["readOnlyRootFilesystem"] is True
        assert context["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert container["image"] == "IMAGE"


def test_references_lead_to_something() -> None:
    deployments, claims = named("Deployment"), named("PersistentVolumeClaim")
    for name, deployment in deployments.items():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items(), name
        for volume in deployment["spec"]["template"]["spec"]["volumes"]:
            claim = volume.get("persistentVolumeClaim")
            assert claim is None or claim["claimName"] in claims
    labels = deployments["app"]["spec"]["template"]["metadata"]["labels"]
    selectors = [each["spec"]["selector"] for each in named("Service").values()]
    selectors += [each["spec"]["selector"]["matchLabels"] for each in named("PodDisruptionBudget").values()]
    policies = [each["spec"]["podSelector"] for each in named("NetworkPolicy").values()]
    selectors += [policy["matchLabels"] for policy in policies if policy]
    assert {} in policies
    assert all(selector.items() <= labels.items() for selector in selectors)
    for scaler in named("HorizontalPodAutoscaler").values():
        assert scaler["spec"]["scaleTargetRef"]["name"] in deployments
    (rule,) = named("Ingress")["app"]["spec"]["rules"]
    backend = rule["http"]["paths"][0]["backend"]["service"]
    assert backend["port"]["name"] in {port["name"] for port in named("Service")[backend["name"]]["spec"]["ports"]}
    namespace = named("NetworkPolicy")["app"]["metadata"]["namespace"]
    assert named("Namespace")[namespace]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200", "192.0.0.192"]
)
def test_a_cloud_s_metadata_cannot_be_reached(address: str) -> None:
    """AWS and others, AWS with IPv6, Google with IPv6, Alibaba, Oracle: they answer with credentials of the node."""
    blocks = [to["ipBlock"] for rule in named("NetworkPolicy")["default"]["spec"]["egress"] for to in rule["to"]]
    excepted = [ip_network(each) for block in blocks for each in block["except"]]
    assert any(ip_address(address) in network for network in excepted)


def test_one_pod_holds_a_volume() -> None:
    app = named("Deployment")["app"]["spec"]
    if named("PersistentVolumeClaim"):
        assert (app["replicas"], app["strategy"]["type"]) == (1, "Recreate")
        assert not named("HorizontalPodAutoscaler")
    else:
        assert "replicas" not in app
        assert app["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert named("HorizontalPodAutoscaler")["app"]["spec"]["minReplicas"] > 1
