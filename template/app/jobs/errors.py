"""What can be wrong with a wish about a job."""

from app.core.errors import ConflictError


class JobStateError(ConflictError):
    """The job is not in the state in which that can be done."""

    code = "JOB_STATE"

    def __init__(self, state: str, wanted: str) -> None:
        super().__init__(f"The job is {state}, not {wanted}.", details={"state": state, "wanted": wanted})
