"""Owned words: what a piece owns appears nowhere, in no name either, where it is not chosen."""

import re
from functools import lru_cache

from omnistack.prove.code import Code
from omnistack.prove.finding import Report


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
    # `ClerkProvider` speaks of it as well: the next word may begin with a capital.
    forms = {word, word.capitalize(), word.upper()}
    return "|".join(before + re.escape(form) + after for form in sorted(forms))


def check_owns(code: Code, report: Report) -> None:
    """Look for every owned word in every name and every line."""
    model = code.tree.model
    owned = [(word, piece.name) for piece in model.pieces.values() for word in piece.owns]
    for file in code.tree.files.values():
        for word, name in owned if file.path != model.recorded else ():
            chosen, pattern = model.chosen[name], word_pattern(word)
            if file.cond & ~chosen == code.space.nothing:
                continue
            if re.search(pattern, file.path):
                report(file.source, 1, f"its name says {word!r}, which {name} owns", file.cond & ~chosen)
            for line in file.matching(pattern):
                report(file.source, line.number, f"says {word!r}, which {name} owns", line.cond & ~chosen)
