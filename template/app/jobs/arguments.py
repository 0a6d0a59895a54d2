"""What administrators see of a job's arguments: enough to know what it is about, and nothing that somebody wrote.

Arguments may hold a link that resets a password, or a text for one reader. So keys, numbers and the names of
subscribers are shown as they are, of other texts only their length.
"""

import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from app.core.jobs.names import job_name
from app.core.lifecycle import jobs_of
from app.core.manifest import modules_of

if TYPE_CHECKING:
    from app.core.runtime import Runtime
    from app.jobs.models import Job

_HARMLESS: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|app(\.\w+)+\(\w+\)")


def shown_arguments(runtime: "Runtime", job: "Job") -> dict[str, object]:
    """The arguments by name; by number where no module has the job any longer."""
    return {name: _shown(value) for name, value in zip(_names(runtime, job), job.args, strict=False)}


def _names(runtime: "Runtime", job: "Job") -> Iterator[str]:
    for function in jobs_of(modules_of(runtime)):
        if job_name(function) == job.name:
            # The first one is the runtime.
            yield from list(inspect.signature(function).parameters)[1:]
            return
    yield from (str(number) for number in range(1, len(job.args) + 1))


def _shown(value: object) -> object:
    if isinstance(value, str):
        return value if _HARMLESS.fullmatch(value) else f"[{len(value)} characters]"
    if isinstance(value, Mapping):
        # Half a character, as JSON may have it, has no place in an answer.
        return {str(key).encode(errors="replace").decode(): _shown(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_shown(item) for item in value]
    return value
