"""Asking for a decision in a terminal. Keys that were pressed before the question was shown are discarded."""

import sys

import typer


def confirm(message: str) -> bool:
    """Ask for yes or no; Enter means no."""
    discard_typed_ahead()
    return typer.confirm(message)


def discard_typed_ahead() -> None:
    """Discard the keys that were pressed but not read yet: they cannot be the answer to the next question."""
    if not sys.stdin.isatty():
        return
    if sys.platform == "win32":
        import msvcrt

        while msvcrt.kbhit():
            msvcrt.getwch()
    else:
        import termios

        termios.tcflush(sys.stdin, termios.TCIFLUSH)
    _discard_kept_by_prompts()


def _discard_kept_by_prompts() -> None:
    """Discard what an earlier prompt read beyond its own answer and keeps for the next one."""
    if "prompt_toolkit" in sys.modules:
        from prompt_toolkit.application import get_app_session
        from prompt_toolkit.input.typeahead import clear_typeahead

        clear_typeahead(get_app_session().input)
