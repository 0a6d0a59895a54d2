"""Errors of the job routes."""

from app.core.errors import ConflictError


class JobStateError(ConflictError):
    """The job's state does not allow the operation."""

    code = "JOB_STATE"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(f"The job is {state}, not {wanted}.", details={"state": state, "wanted": wanted})
