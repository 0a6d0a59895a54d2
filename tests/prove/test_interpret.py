"""Templates run once for all answer sets say what Jinja says for each."""

from typing import Any

import pytest
from jinja2 import Environment, StrictUndefined
from omnistack.prove.interpret import Interpreter
from omnistack.prove.space import Space
from omnistack.prove.tree import plain
from omnistack.prove.values import Choice as Options
from omnistack.prove.values import FailureError, Opaque, RefusedError, Seq, Text
from omnistack.template.catalog import Choice, Question

PIECES = [
    {"name": "redis", "requires": [], "port": None, "n": 1},
    {"name": "jobs", "requires": ["redis"], "port": None, "n": 2},
    {"name": "auth", "requires": [], "port": "x", "n": 3},
    {"name": "a", "requires": ["auth"], "port": "x", "n": 2, "extra": "e"},
]
ENVIRONMENT = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False)  # noqa: S701 - as Copier


def make_space() -> Space:
    choices = tuple(Choice(value=value, label=value) for value in "abc")
    return Space(
        [
            Question(name="auth", type="str", help="", choices=choices, default=""),
            Question(name="jobs", type="bool", help="", choices=(), default=False),
            Question(name="redis", type="bool", help="", choices=(), default=False),
        ]
    )


def names(space: Space) -> dict[str, Any]:
    variables = {
        name: Options(tuple((cond, value) for value, cond in variable.conditions.items()))
        for name, variable in space.variables.items()
    }
    chosen = Seq(
        (
            (space.variables["redis"].conditions[True], "redis"),
            (space.variables["jobs"].conditions[True], "jobs"),
            (space.variables["auth"].conditions["a"], "a"),
            (space.everything, "auth"),
        )
    )
    return {**variables, "chosen": chosen, "pieces": PIECES}


def plain_names(answers: dict[str, Any]) -> dict[str, Any]:
    chosen = [name for name in ("redis", "jobs") if answers[name]] + (["a"] if answers["auth"] == "a" else [])
    return {**answers, "chosen": [*chosen, "auth"], "pieces": PIECES}


TEMPLATES = [
    "{{ auth }}-{{ jobs }}",
    "{% if jobs %}yes{% elif redis %}redis{% else %}no{% endif %}",
    "{% if jobs and auth == 'a' or not redis %}x{% endif %}{{ 'p' if redis else 'q' }}",
    "{% for name in chosen %}{{ loop.index }}{{ name }}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for name in chosen if name != 'auth' %}{{ name }}{% if loop.first %}!{% endif %}{% else %}none{% endfor %}",
    "{% for p in pieces | selectattr('name', 'in', chosen) | sort(attribute='name') %}{{ p.name }} {% endfor %}",
    "{% for p in pieces | rejectattr('name', 'in', chosen) %}{{ p.name }} {% endfor %}",
    "{% for p in pieces | selectattr('extra', 'defined') %}{{ p.extra }}{% endfor %}",
    "{{ chosen | join(', ') }}|{{ chosen | first }}|{{ chosen | last }}|{{ chosen | length }}",
    "{{ chosen | sort | join('-') }}|{{ chosen | map('upper') | join }}|{{ 'redis' in chosen }}",
    (
        "{% for r in pieces | selectattr('name', 'in', chosen) | map(attribute='requires') | sum(start=[]) | unique %}"
        "{{ r }};{% endfor %}"
    ),
    (
        "{% for r in pieces | selectattr('name', 'in', chosen) | map(attribute='n') | map('string') | unique | sort %}"
        "{{ r }};{% endfor %}"
    ),
    (
        "{% set n = namespace(seen=[]) %}{% for p in pieces if p.name in chosen %}"
        "{% set n.seen = n.seen + p.requires %}{% endfor %}{{ n.seen | join(',') }}"
    ),
    (
        "{% set n = namespace(seen=[]) %}{% for _ in pieces %}"
        "{% for p in pieces if p.name in chosen and p.name not in n.seen %}"
        "{% set n.seen = n.seen + [p.name] %}{% endfor %}{% endfor %}{{ n.seen | join(',') }}"
    ),
    "{% macro m(x, y='d') %}{{ x }}{% if jobs %}{{ y }}{% endif %}{% endmacro %}{{ m(auth) }}{{ m('k', y=auth) }}",
    "{% set x = 1 %}{% if jobs %}{% set x = 2 %}{% endif %}{{ x }}{{ x + 1 }}",
    "{% set t %}a{% if redis %}b{% endif %}{% endset %}{{ t | upper }}",
    "{{ {'a': 1, 'b': 2}.get(auth) or 'none' }}{{ (auth ~ jobs) | length }}",
    "{{ pieces[0].name if redis else pieces[-1]['name'] }}{{ chosen is defined }}{{ nobody is defined }}",
    "{{ (chosen if jobs else ['z']) | join }}{{ auth in ['a', 'b'] }}{{ [auth, 'k'] | join('/') }}",
]


@pytest.mark.parametrize("template", TEMPLATES)
def test_equals_jinja_for_every_answer_set(template: str) -> None:
    space = make_space()
    text = Interpreter(space, ENVIRONMENT, lambda name: name).render(template, names(space), space.everything, "here")
    for answers in space.all_answers(space.everything):
        bits = space.bits(answers)
        varied = "".join(plain(part) for part in text.parts if part.cond.eval(bits))
        assert varied == ENVIRONMENT.from_string(template).render(plain_names(answers)), answers


def test_what_several_pieces_share_is_the_same_in_any_order() -> None:
    # `a` and `redis` need what `jobs` needs, too: which of them comes first in the catalog must not show.
    space = make_space()
    template = (
        "{% for r in pieces | selectattr('name', 'in', chosen) | map(attribute='needs') | sum(start=[])"
        " | unique | sort %}{{ r }}\n{% endfor %}"
    )
    pieces = [{"name": name, "needs": ["httpx", name]} for name in ("redis", "jobs", "a")] + [
        {"name": "auth", "needs": []}
    ]
    parts = [
        Interpreter(space, ENVIRONMENT, lambda name: name)
        .render(template, {**names(space), "pieces": ordered}, space.everything, "here")
        .parts
        for ordered in (pieces, pieces[::-1])
    ]

    first, second = ([(plain(part), part.cond) for part in each if plain(part).strip()] for each in parts)
    assert first == second
    assert [text for text, _ in first].count("httpx") == 1


@pytest.mark.parametrize(
    "template",
    [
        "{% for p in pieces recursive %}{{ p.name }}{% endfor %}",
        "{% filter upper %}x{% endfilter %}",
        "{% for c in auth %}{{ c }}{% endfor %}",
        "{{ title | length }}",
    ],
)
def test_refuses_what_it_cannot_follow_and_names_the_line(template: str) -> None:
    space = make_space()
    interpreter = Interpreter(space, ENVIRONMENT, lambda name: name)
    with pytest.raises(RefusedError, match="here: line 1"):
        interpreter.render(template, {**names(space), "title": Opaque("title", "x")}, space.everything, "here")


def test_an_undefined_name_is_a_failure_where_it_is_reached() -> None:
    space = make_space()
    with pytest.raises(FailureError) as caught:
        Interpreter(space, ENVIRONMENT, lambda name: name).render(
            "{% if jobs %}{{ nobody }}{% endif %}", names(space), space.everything, "here"
        )
    assert caught.value.cond == space.variables["jobs"].conditions[True]


def test_both_outcomes_of_a_test_on_a_free_text_are_followed() -> None:
    space = make_space()
    text = Interpreter(space, ENVIRONMENT, lambda name: name).render(
        "{% if title.startswith('x') %}yes{% else %}no{% endif %}",
        {"title": Opaque("title", "xy")},
        space.everything,
        "here",
    )
    assert isinstance(text, Text)
    assert {plain(part) for part in text.parts} == {"yes", "no"}
    assert {
        plain(part) for part in text.parts if part.cond.eval(space.bits({"auth": "a", "jobs": True, "redis": True}))
    } == {"yes"}
