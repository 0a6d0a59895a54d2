"""Searching in text."""


def like_pattern(text: str) -> str:
    r"""The pattern of `LIKE … ESCAPE '\'` that finds the text anywhere, its own wildcards taken literally."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
