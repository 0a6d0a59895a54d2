"""Names that patterns bind."""

import pytest
from omnistack.prove.python import read_python


@pytest.mark.parametrize("pattern", ["[first, *name]", "{'key': 1, **name}", "[1] as name", "Point(x=name)"])
def test_a_name_that_a_pattern_binds_is_defined(pattern: str) -> None:
    facts = read_python(f"match given:\n    case {pattern}:\n        print(name)\n", "app")
    assert "name" in facts.local
