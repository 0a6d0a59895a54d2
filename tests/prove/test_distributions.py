"""The names of distributions, against installed metadata."""

import json
import subprocess

import pytest
from omnistack.prove.distributions import EXCEPTIONS, PROVIDED, candidates, requirement_name
from omnistack.prove.proof import Proof
from omnistack.shell.process import program

ASK = "import importlib.metadata as m, json; print(json.dumps(m.packages_distributions()))"


@pytest.mark.parametrize(
    ("module", "distribution"),
    [
        ("jwt", "pyjwt"),
        ("uuid_utils.compat", "uuid-utils"),
        ("pydantic_settings", "pydantic-settings"),
        ("app_x", "app-x"),
    ],
)
def test_names_the_distribution(module: str, distribution: str) -> None:
    assert candidates(module)[0][0] == distribution


def test_reads_the_name_out_of_a_requirement() -> None:
    assert requirement_name("PyJWT[crypto]>=2,<3; python_version > '3'") == "pyjwt"


@pytest.mark.slow
def test_the_table_agrees_with_installed_metadata(proof: Proof) -> None:
    assert proof.model is not None
    wanted = {requirement_name(text): text for piece in proof.model.pieces.values() for text in piece.dependencies}
    used = {module: name for module, name in EXCEPTIONS.items() if name in wanted}
    used |= {module: name for module, (name, _) in PROVIDED.items() if name in wanted}
    options = [part for name in sorted(set(used.values())) for part in ("--with", wanted[name])]
    command = [program("uv"), "run", "--no-project", "--isolated", *options, "python", "-c", ASK]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    installed: dict[str, list[str]] = json.loads(done.stdout)
    for module, name in used.items():
        top = module.split(".")[0]
        assert top in installed, f"{module} does not come with {name}"
        if module in EXCEPTIONS:
            assert name in [requirement_name(each) for each in installed[top]]
