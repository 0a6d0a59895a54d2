"""Requests that schemathesis derives from the OpenAPI document, valid and invalid ones, in a fixed order."""

import json
import os
import subprocess
import sys
from pathlib import Path

from attack.servers import OK, ROOT, Target, get, send

FIRST_ERROR = 400
EXAMPLES = 40
"""Generated requests of each operation in each phase."""
PHASES = "examples,coverage,fuzzing,stateful"
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
    "use_after_free",
    "ensure_resource_availability",
    "error_shape",
)
"""Every check but `positive_data_acceptance`, because a schema can't express every rule (an id has to exist)."""
PRIVACY = "object_level_authorization"
"""The check that no user reads what belongs to another. It needs several users."""


def fuzz(target: Target, work: Path) -> list[str]:
    """Attack with the token of an administrator, then with that of a user. Return what failed."""
    failed = []
    _, me = get(f"{target.url}/api/v1/app/users/me", token=target.user)
    peers = {"user": target.user, "other": target.other}
    for name, token, private in (("administrator", target.admin, {}), ("user", target.user, peers)):
        sys.stdout.write(f"schemathesis, as {name}\n")
        sys.stdout.flush()
        if _run(target, token, private, work):
            failed.append(f"schemathesis found failures as {name}")
        status, _ = get(f"{target.url}/api/v1/app/users/me", token=token)
        if status != OK:
            failed.append(f"the {name}'s token is answered with {status} afterwards: not everything was reached")
        _restore(target, me)
    return failed


def _restore(target: Target, user: object) -> None:
    """Activate the user again, whom the administrator may have deactivated."""
    if not isinstance(user, dict):
        raise SystemExit(f"The user was not found: {user}")
    url = f"{target.url}/api/v1/admin/users/{user['id']}/activate"
    status, body = send("POST", url, headers={"Authorization": f"Bearer {target.admin}"})
    if status >= FIRST_ERROR:
        raise SystemExit(f"The user cannot be activated again: {status} {body}")


def _configuration(work: Path, peers: dict[str, str]) -> Path:
    """Write the configuration of schemathesis, with the users whose objects are private to each other."""
    text = (ROOT / "attack" / "schemathesis.toml").read_text(encoding="utf-8")
    if peers:
        entries = [
            {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"Bearer {token}"}]}
            for name, token in peers.items()
        ]
        users = work / "users.json"
        users.write_text(json.dumps({"auth": entries}), encoding="utf-8")
        text += f"\n[auth.wfc]\npath = {json.dumps(str(users))}\npeers = {json.dumps(list(peers))}\n"
    file = work / "schemathesis.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _run(target: Target, token: str, peers: dict[str, str], work: Path) -> int:
    document = work / "openapi.json"
    subprocess.run(
        [target.project / ".venv" / "bin" / "app", "openapi", "--output", str(document)],
        cwd=target.project,
        check=True,
        stdout=subprocess.DEVNULL,
        env=os.environ | {"SECRET_KEY": "0" * 16 + "1" * 16, "PROJECT_NAME": "Attacked"},
    )
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", str(_configuration(work, peers))),
        *("run", str(document), "--url", target.url),
        *(() if peers else ("--header", f"Authorization: Bearer {token}")),
        *(
            "--checks",
            ",".join((*CHECKS, *([PRIVACY] if peers else ()))),
            "--phases",
            PHASES,
            "--max-examples",
            str(EXAMPLES),
        ),
        *("--generation-deterministic", "--no-shrink"),
        *("--request-timeout", "10", "--continue-on-failure", "--no-color"),
        *("--suppress-health-check", "all", "--warnings", "off"),
    ]
    environment = os.environ | {"SCHEMATHESIS_HOOKS": "attack.checks", "PYTHONPATH": str(ROOT)}
    # In a folder of its own: what earlier runs found is kept in the current one, and would change this run.
    return subprocess.run(command, cwd=work, env=environment, check=False).returncode
