"""Searching in text."""


def like_pattern(text: str) -> str:
    r"""Return a pattern for `LIKE … ESCAPE '\'` that finds the text anywhere, with its wildcards escaped."""
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"
