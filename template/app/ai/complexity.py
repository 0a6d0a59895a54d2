"""Estimate the complexity of a question from its words: fast, deterministic, and not always right.

Callers that know better pass the complexity. The words are English; in other languages, only length and code count.
"""

import re
from collections.abc import Sequence
from typing import Final

from app.ai.model_table import Complexity
from app.ai.port import Message

LONG_QUESTION: Final = 2_000
"""Minimum length in characters of a question that is always complex."""
SHORT_QUESTION: Final = 120
"""Maximum length in characters of a simple question."""
LONG_CONVERSATION: Final = 12_000
"""Minimum length in characters of a conversation in which no question is simple."""

_SEARCH: Final = re.compile(
    r"\b(today|tonight|yesterday|this (week|month|year)|latest|newest|right now|breaking|news|weather|stock price|"
    r"exchange rate|search (the web|online|for)|look (it |this )?up|who won)\b",
    re.IGNORECASE,
)
_COMPLEX: Final = re.compile(
    r"\b(analy[sz]e|architect(ure)?|compare|debug|derive|design|evaluate|implement|optimi[sz]e|plan|prove|refactor|"
    r"review|step by step|trade-?offs?|why)\b|```",
    re.IGNORECASE,
)


def complexity_of(messages: Sequence[Message]) -> Complexity:
    """Return the complexity of the last message."""
    question = messages[-1].content if messages else ""
    if len(question) < LONG_QUESTION and _SEARCH.search(question):
        return Complexity.SEARCH
    if len(question) >= LONG_QUESTION or _COMPLEX.search(question):
        return Complexity.COMPLEX
    if len(question) <= SHORT_QUESTION and sum(len(each.content) for each in messages) < LONG_CONVERSATION:
        return Complexity.SIMPLE
    return Complexity.MODERATE
