"""The error that a user sees."""


class OmniError(Exception):
    """An error with a message and the next step. The command line prints it as one line and exits with 1."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return one line: the message, then the next step."""
        parts = [" ".join(part.split()) for part in (self.message, self.hint)]
        line = ". ".join(part.rstrip(".") for part in parts if part)
        return line if line.endswith("?") else f"{line}."
