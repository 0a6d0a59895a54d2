"""Which tests belong to the template, so that `make test` runs the user's own."""

import pytest


def marked(session: pytest.Session, folder: str) -> dict[str, bool]:
    """Whether each collected test of a folder of `tests/` belongs to the template, by its id."""
    found = [item for item in session.items if item.nodeid.startswith(f"tests/{folder}/")]
    return {item.nodeid: item.get_closest_marker("template") is not None for item in found}


def test_those_of_the_core_belong_to_the_template(request: pytest.FixtureRequest) -> None:
    marks = marked(request.session, "core")
    assert marks[request.node.nodeid]
    assert all(marks.values())


def test_those_that_cover_every_module_do_not(request: pytest.FixtureRequest) -> None:
    for item in request.session.items:
        if item.get_closest_marker("every_module") is not None:
            assert item.get_closest_marker("template") is None, item.nodeid
