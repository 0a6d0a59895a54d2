"""The estimate of complexity."""

import pytest

from app.ai.complexity import complexity_of
from app.ai.model_table import Complexity
from app.ai.port import Message, MessageRole, conversation


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What is the capital of France?", Complexity.SIMPLE),
        ("Translate: good morning", Complexity.SIMPLE),
        ("Write a friendly letter to a customer who has waited for two weeks. " * 2, Complexity.MODERATE),
        ("Why is the sky blue?", Complexity.COMPLEX),
        ("Refactor this: ```print(1)```", Complexity.COMPLEX),
        ("Compare Rust with Go.", Complexity.COMPLEX),
        ("x" * 2_000, Complexity.COMPLEX),
        ("Who won the match?", Complexity.SEARCH),
        ("The latest news about the moon", Complexity.SEARCH),
        ("What's the WEATHER in Bern today?", Complexity.SEARCH),
        ("Newspapers are old-fashioned.", Complexity.SIMPLE),
    ],
)
def test_a_question_has_a_complexity(question: str, expected: Complexity) -> None:
    assert complexity_of(conversation(question)) is expected


def test_a_long_document_is_not_a_search() -> None:
    assert complexity_of(conversation("today " * 400)) is Complexity.COMPLEX


def test_a_long_conversation_is_never_simple() -> None:
    before = [
        Message(role=MessageRole.USER, content="x" * 6_000),
        Message(role=MessageRole.ASSISTANT, content="y" * 6_000),
    ]
    assert complexity_of([*before, *conversation("And now?")]) is Complexity.MODERATE
    assert complexity_of([before[1], *conversation("And now?")]) is Complexity.SIMPLE
