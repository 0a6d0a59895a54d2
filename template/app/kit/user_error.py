"""An error that the user of a command can fix."""


class UserError(Exception):
    """An error that is shown without a traceback. The message says what happened and what to do next."""
