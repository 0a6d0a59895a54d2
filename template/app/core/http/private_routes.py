"""Routes that only users themselves may call, and no administrator on their behalf: billing, erasure, keys.

router = APIRouter(prefix="/billing", dependencies=[Depends(private)])
"""

from typing import Final, override

from starlette.requests import HTTPConnection

from app.core.context import context_of
from app.core.errors import ForbiddenError
from app.core.http.route_dependencies import DocumentedDependency, Operation, document_error


class ImpersonationNotAllowedError(ForbiddenError):
    """The route is refused while an administrator impersonates the user."""

    code = "IMPERSONATION_NOT_ALLOWED"

    def __init__(self) -> None:
        super().__init__("Only the user can do this, and not an administrator who impersonates the user.")


class PrivateRoute(DocumentedDependency):
    """A dependency that marks a route as private. It runs after the guard of the area."""

    async def __call__(self, connection: HTTPConnection) -> None:
        """Refuse the request of an administrator who impersonates the user.

        Raises:
            ImpersonationNotAllowedError: the caller is impersonated.
        """
        if context_of(connection).impersonator_id is not None:
            raise ImpersonationNotAllowedError

    @override
    def document(self, operation: Operation) -> None:
        """Add the error to an operation."""
        document_error(operation, ImpersonationNotAllowedError, "An administrator impersonates the user.")


private: Final = PrivateRoute()
