"""The servers besides the database that modules need: `app dev` runs them, and other commands find them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.dev.chosen_services import DEV_SERVICES
from app.dev.paths import LOCAL
from app.dev.servers.dev_service import DevService
from app.kit.environment import in_environment


@contextmanager
def services(
    *,
    say: Callable[[str], object] | None = None,
    folder: Path = LOCAL,
    url: str = "",
    known: Sequence[DevService] = tuple(DEV_SERVICES),
) -> Iterator[dict[str, str]]:
    """Put the settings that name the servers into the environment until the end of the block, and yield them.

    Args:
        say: receives a message for every server that this machine doesn't have, and of those that have one. If
            `None`, no server is started: only those that another process runs are used.
        folder: the folder of the servers' data.
        url: the URL of this application, for servers that call it.
        known: the servers that may be wanted.

    Raises:
        OSError: a server doesn't start; the message says why.
        ConfigurationError: the setting of one is malformed.
    """
    variables: dict[str, str] = {}
    with ExitStack() as stack:
        for service in known:
            if not service.is_wanted():
                continue
            found = service.find(folder / service.name)
            if found is None and say is not None:
                found = _started(service, stack, folder, url, say)
            for setting, value in (found or {}).items():
                stack.enter_context(in_environment(setting, value))
                variables[setting] = value
        yield variables


def _started(
    service: DevService, stack: ExitStack, folder: Path, url: str, say: Callable[[str], object]
) -> Mapping[str, str] | None:
    try:
        found = stack.enter_context(service.run(folder / service.name, url))
    except FileNotFoundError:
        say(service.without)
        return None
    if service.started:
        say(service.started.format(**found))
    return found
