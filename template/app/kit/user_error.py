"""An error that the user of a command can fix."""


class UserError(Exception):
    """Shown without a traceback. The message says what happened and what to do next."""
