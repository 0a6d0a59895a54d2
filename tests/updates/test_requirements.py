"""Arrays of requirements merge by package."""

import pytest
from omnistack.change.requirements import merge, settle


def block(*requirements: str) -> dict[str, str]:
    return {text.split(">")[0]: f'    "{text}",' for text in requirements}


@pytest.mark.parametrize(
    ("base", "ours", "theirs", "merged"),
    [
        pytest.param(["a>1", "c>1"], ["a>1", "b>1", "c>1"], ["a>1", "c>1"], ["a>1", "b>1", "c>1"], id="mine stays"),
        pytest.param(["a>1"], ["a>1", "c>1"], ["a>1", "b>1"], ["a>1", "b>1", "c>1"], id="both come, in order"),
        pytest.param(["a>1"], ["a>1", "b>1"], ["a>1", "c>1"], ["a>1", "b>1", "c>1"], id="whoever is first"),
        pytest.param(["a>1", "b>1"], ["a>1", "b>1"], ["a>2", "b>1"], ["a>2", "b>1"], id="a new version"),
        pytest.param(["a>1", "b>1"], ["a>9", "b>1"], ["a>1", "b>2"], ["a>9", "b>2"], id="a version of mine"),
        pytest.param(["a>1", "b>1"], ["a>1"], ["a>1", "b>1", "c>1"], ["a>1", "c>1"], id="what I removed stays away"),
        pytest.param(["a>1", "b>1"], ["a>1", "b>1", "z>1"], ["b>1"], ["b>1", "z>1"], id="what goes is gone"),
        pytest.param(["a>1"], ["a>2"], ["a>2"], ["a>2"], id="both did the same"),
        pytest.param(
            ["b>1"], ["z>1", "b>1", "y>1"], ["a>1", "b>1"], ["a>1", "z>1", "b>1", "y>1"], id="no order of mine"
        ),
        pytest.param(["a>1"], ["a>1"], [], [], id="empty"),
    ],
)
def test_each_sides_changes_hold(base: list[str], ours: list[str], theirs: list[str], merged: list[str]) -> None:
    assert merge(block(*base), block(*ours), block(*theirs)) == list(block(*merged).values())


@pytest.mark.parametrize(
    ("base", "ours", "theirs"),
    [(["a>1"], ["a>2"], ["a>3"]), ([], ["a>2"], ["a>3"]), (["a>1"], [], ["a>2"]), (["a>1"], ["a>2"], [])],
)
def test_two_changes_of_one_package_are_the_users_to_decide(
    base: list[str], ours: list[str], theirs: list[str]
) -> None:
    assert merge(block(*base), block(*ours), block(*theirs)) is None


MANIFEST = """\
[project]
name = "{name}"
dependencies = [
{first}
]

[dependency-groups]
dev = [
{second}
]

[tool.other]
dependencies = [
    "x",
]
"""


def manifest(first: list[str], second: list[str], name: str = "mine") -> str:
    def body(items: list[str]) -> str:
        return "\n".join(f'    "{item}",' for item in items)

    return MANIFEST.format(name=name, first=body(first), second=body(second))


def test_only_the_arrays_of_requirements_are_made_the_same() -> None:
    base = manifest(["a", "c"], ["m"])
    ours = manifest(["a", "b", "c"], ["m", "n"], name="ours")
    theirs = manifest(["a", "c", "d"], ["m", "o"], name="theirs")
    merged = manifest(["a", "b", "c", "d"], ["m", "n", "o"])
    settled = settle(base, ours, theirs)
    assert settled == tuple(merged.replace('"mine"', f'"{name}"') for name in ("mine", "ours", "theirs"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('    "b",\n', '    "b", "c",\n'),
        ('    "b",\n', "    # a comment on a line of its own\n"),
        ('    "b",\n', '    "b"\n'),
        ('    "b",\n', '    "a",\n'),
        ('    "b",\n', '    {include-group = "other"},\n'),
        ("dependencies = [\n", "optional = [\n"),
    ],
)
def test_an_array_written_in_another_way_is_left_alone(old: str, new: str) -> None:
    base = manifest(["a"], ["m"])
    ours = manifest(["a", "b"], ["m"]).replace(old, new, 1)
    theirs = manifest(["a", "c"], ["m"])
    assert settle(base, ours, theirs) == (base, ours, theirs)


def test_comments_and_markers_of_the_users_lines_stay() -> None:
    base, theirs = manifest(["a"], []), manifest(["a", "c"], [])
    line = """    "b[x]>=1; sys_platform != 'win32'",  # why\n"""
    ours = base.replace('    "a",\n', f'    "a",\n{line}')
    assert settle(base, ours, theirs)[1] == ours.replace(line, f'{line}    "c",\n')
