"""The arguments of a job as administrators see them: enough to identify the job, without users' texts.

Arguments may contain a password-reset link or a private message. Keys, numbers and names of subscribers are shown;
other texts are replaced by their length.
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

_SHOWN: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|app(\.\w+)+\(\w+\)")


def shown_arguments(runtime: "Runtime", job: "Job") -> dict[str, object]:
    """Return the arguments by parameter name; by position if no module lists the job any longer."""
    return {name: _redacted(value) for name, value in zip(_names(runtime, job), job.args, strict=False)}


def _names(runtime: "Runtime", job: "Job") -> Iterator[str]:
    for function in jobs_of(modules_of(runtime)):
        if job_name(function) == job.name:
            # The first parameter is the runtime.
            yield from list(inspect.signature(function).parameters)[1:]
            return
    yield from (str(number) for number in range(1, len(job.args) + 1))


def _redacted(value: object) -> object:
    if isinstance(value, str):
        return value if _SHOWN.fullmatch(value) else f"[{len(value)} characters]"
    if isinstance(value, Mapping):
        # JSON text may contain lone surrogates, a UTF-8 response may not.
        return {str(key).encode(errors="replace").decode(): _redacted(item) for key, item in value.items()}
    if isinstance(value, Sequence):
        return [_redacted(item) for item in value]
    return value
