"""How complex a question is, guessed from its words: quick, the same every time, and wrong now and then.

Whoever knows better says so. The words are English; in another language only length and code count.
"""

import re
from collections.abc import Sequence
from typing import Final

from app.ai.model_table import Complexity
from app.ai.port import Message

LONG: Final = 2_000
"""Characters of a question from which on it is complex, whatever it says."""
SHORT: Final = 120
"""Characters of a question up to which it is simple, if nothing says otherwise."""
LONG_CONVERSATION: Final = 12_000
"""Characters of all messages from which on nothing is simple."""

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
    """The tier of the last message, which is the question."""
    question = messages[-1].content if messages else ""
    if len(question) < LONG and _SEARCH.search(question):
        return Complexity.SEARCH
    if len(question) >= LONG or _COMPLEX.search(question):
        return Complexity.COMPLEX
    if len(question) <= SHORT and sum(len(each.content) for each in messages) < LONG_CONVERSATION:
        return Complexity.SIMPLE
    return Complexity.MODERATE
