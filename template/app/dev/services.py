"""The servers besides the database that modules stand on: `app dev` runs them, and other commands find them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from app.dev.chosen_services import DEV_SERVICES
from app.dev.places import LOCAL
from app.dev.servers.dev_service import DevService
from app.kit.environment import in_environment


@contextmanager
def services(*, say: Callable[[str], object] | None = None, folder: Path = LOCAL) -> Iterator[dict[str, str]]:
    """The settings that name the servers, which are in the environment for the length of the block.

    Args:
        say: told which servers this machine has not got. Without it none is started: only those that others run count.
        folder: of the servers' data.

    Raises:
        OSError: a server does not start; says why.
        ConfigurationError: the setting of one is malformed.
    """
    variables: dict[str, str] = {}
    with ExitStack() as stack:
        for service in DEV_SERVICES:
            if not service.is_wanted():
                continue
            found = service.find(folder / service.name)
            if found is None and say is not None:
                found = _started(service, stack, folder, say)
            if found is not None:
                stack.enter_context(in_environment(service.setting, found))
                variables[service.setting] = found
        yield variables


def _started(service: DevService, stack: ExitStack, folder: Path, say: Callable[[str], object]) -> str | None:
    try:
        return stack.enter_context(service.run(folder / service.name))
    except FileNotFoundError:
        say(service.without)
        return None
