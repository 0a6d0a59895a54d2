"""Names of jobs: a stored job refers to its function by name."""

from collections.abc import Iterable, Mapping

from app.core.ports.queue import JobFunction


def job_name(function: JobFunction) -> str:
    """Return the name of a job: its module's folder and the function's name, as in `users.send_welcome`."""
    package = function.__module__.removeprefix("app.").split(".")[0]
    return f"{package}.{function.__name__}"


def by_job_name[F: JobFunction](functions: Iterable[F]) -> dict[str, F]:
    """Return the functions by name.

    Raises:
        ValueError: two functions have the same name.
    """
    named: dict[str, F] = {}
    for function in functions:
        name = job_name(function)
        if named.setdefault(name, function) is not function:
            raise ValueError(f"Two functions are called {name}; rename one of them.")
    return named


def listed_name(functions: Mapping[str, JobFunction], function: JobFunction) -> str:
    """Return the function's name, if it may be enqueued.

    Raises:
        LookupError: the function is not among those that may be enqueued.
    """
    name = job_name(function)
    if name not in functions:
        raise LookupError(f"{name} is in no module's `jobs`; add it to the manifest.")
    return name
