"""Owned words: the words that a piece owns occur in no file and no name of a project without it."""

import re
from functools import lru_cache

from omnistack.prove.code import Code
from omnistack.prove.finding import Report
from omnistack.prove.tree import matching_lines


@lru_cache(maxsize=512)
def word_pattern(word: str) -> str:
    """Match a word by itself or as part of a name (`CLERK_ISSUER`, `clerk_webhook`), not inside another word.

    In a word with a capital letter the case counts.
    """
    before = r"(?<![A-Za-z])" if word[0].isalpha() else ""
    after = r"(?![a-z])" if word[-1].isalpha() else ""
    exact = any(letter.isupper() for letter in word)
    if exact:
        return f"{before}{re.escape(word)}{after}"
    # `ClerkProvider` counts as well: the next word may begin with a capital.
    forms = {word, word.capitalize(), word.upper()}
    return "|".join(before + re.escape(form) + after for form in sorted(forms))


@lru_cache(maxsize=1 << 13)
def sayings(text: str, words: tuple[str, ...]) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Return the words that a text contains, and the numbers (from 0) of the lines that contain them."""
    lowered = text.lower()
    said = ((word, matching_lines(text, word_pattern(word))) for word in words if word.lower() in lowered)
    return tuple((word, numbers) for word, numbers in said if numbers)


def check_owns(code: Code, report: Report) -> None:
    """Look for every owned word in every name and every line."""
    model = code.tree.model
    owners = {word: piece.name for piece in model.pieces.values() for word in piece.owns}
    words = tuple(owners)
    for file in code.tree.files.values():
        if file.path == model.recorded:
            continue
        for word, _ in sayings(file.path, words):
            name = owners[word]
            report(
                file.source,
                1,
                f"its name contains the word {word!r}, which {name} owns",
                file.cond & ~model.chosen[name],
            )
        for word, numbers in sayings(file.text, words):
            name = owners[word]
            if file.cond & ~model.chosen[name] == code.space.nothing:
                continue
            for line in (file.lines[number] for number in numbers):
                report(
                    file.source,
                    line.number,
                    f"contains the word {word!r}, which {name} owns",
                    line.cond & ~model.chosen[name],
                )
