"""What may go wrong on a developer's machine."""


class DevError(Exception):
    """Something that the developer can put right; the message says what and how."""
