"""The names under which functions are queued: a job may outlive the process that has queued it."""

from collections.abc import Iterable, Mapping

from app.core.ports.queue import JobFunction


def job_name(function: JobFunction) -> str:
    """The name under which a job is queued: its module's folder and its own, as in `users.send_welcome`."""
    package = function.__module__.removeprefix("app.").split(".")[0]
    return f"{package}.{function.__name__}"


def by_job_name[F: JobFunction](functions: Iterable[F]) -> dict[str, F]:
    """The functions under the names by which they are queued.

    Raises:
        ValueError: two have the same name.
    """
    named: dict[str, F] = {}
    for function in functions:
        name = job_name(function)
        if named.setdefault(name, function) is not function:
            raise ValueError(f"Two functions are called {name}; rename one of them.")
    return named


def listed_name(functions: Mapping[str, JobFunction], function: JobFunction) -> str:
    """The name of a function that is among those that may be queued.

    Raises:
        LookupError: it is not.
    """
    name = job_name(function)
    if name not in functions:
        raise LookupError(f"{name} is in no module's `jobs`; add it to the manifest.")
    return name
