"""The files of a module: each kind of thing stands in the file that has its name."""

import pytest
from omnistack.prove.checks.module_files import EXCEPTIONS, PLACES
from omnistack.prove.mutants.python import STRAY_IMPORTS, STRAYS
from omnistack.prove.proof import Proof, prove
from omnistack.prove.source import Source

SERVICE = "template/app/users/service.py"


def found(source: Source, proof: Proof, kind: str, path: str) -> list[str]:
    text = f"{source.text(path)}\n{STRAY_IMPORTS.get(kind, '')}\n\n\n{STRAYS[kind]}"
    space = proof.model.space if proof.model else None
    findings = prove(source.changed({path: text}), space=space, known=proof).findings
    return [one.message for one in findings if one.check == "module files" and one.file == path]


def test_every_kind_has_a_mutant() -> None:
    assert STRAYS.keys() == PLACES.keys()


@pytest.mark.parametrize("kind", PLACES)
def test_a_service_may_define_none_of_them(source: Source, proof: Proof, kind: str) -> None:
    (message,) = found(source, proof, kind, SERVICE)
    assert f"is a {kind}: it belongs in" in message


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("table", "users/models.py"),
        ("router", "users/admin_routes.py"),
        ("router", "auth/providers/clerk_webhook.py"),
        ("settings class", "auth/providers/clerk_settings.py"),
        ("dependency", "users/dependencies.py"),
        ("command", "users/commands.py"),
        ("event", "users/events.py"),
        ("data policy", "users/data_policy.py"),
    ],
)
def test_the_file_of_the_name_may(source: Source, proof: Proof, kind: str, path: str) -> None:
    assert found(source, proof, kind, f"template/app/{path}") == []


def test_every_exception_is_needed(proof: Proof) -> None:
    assert proof.code is not None
    for module, name in EXCEPTIONS:
        assert name in proof.code.modules[module].facts.names
