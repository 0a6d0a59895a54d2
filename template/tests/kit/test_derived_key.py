"""Keys that are derived from a secret, one for each purpose."""

import ast
import hmac
from pathlib import Path

from pydantic import SecretStr

from app.kit.derived_key import derived_key

APPLICATION = Path(__file__).resolve().parents[2] / "app"
SECRET = SecretStr("k" * 32)


def purposes() -> list[str]:
    """Return the purpose of each call in the application."""
    found = []
    for path in sorted(APPLICATION.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "derived_key":
                purpose = node.args[1]
                assert isinstance(purpose, ast.Constant), f"{path}: write the purpose as a string."
                found.append(str(purpose.value))
    return found


def test_a_key_is_the_hmac_of_its_purpose() -> None:
    key = derived_key(SECRET, "links")
    assert key == hmac.digest(b"k" * 32, b"links", "sha256")
    assert key != derived_key(SECRET, "seals")
    assert key != derived_key(SecretStr("l" * 32), "links")


def test_no_two_parts_of_the_application_have_the_same_purpose() -> None:
    assert purposes()
    assert len(set(purposes())) == len(purposes())
