"""The names of what is queued."""

import pytest

from app.core.jobs.names import by_job_name, job_name
from app.core.runtime import Runtime


async def note(runtime: Runtime) -> None:
    """A job."""


async def count(runtime: Runtime) -> None:
    """Another job."""


JOBS = (note, count)


class TestNames:
    def test_are_the_folder_and_the_function(self) -> None:
        assert job_name(note) == "tests.note"

    def test_of_two_jobs_may_not_be_the_same(self) -> None:
        async def note(runtime: Runtime) -> None:
            """A job with the name of another one."""

        with pytest.raises(ValueError, match=r"Two functions are called tests\.note"):
            by_job_name([*JOBS, note])

    def test_the_same_job_twice_is_one(self) -> None:
        assert list(by_job_name([note, note])) == ["tests.note"]
