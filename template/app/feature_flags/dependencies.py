"""Dependencies of routes that need a flag: `dependencies=[Depends(require_flag("new-editor"))]`."""

from typing import Annotated, override

from fastapi import Depends

from app.core.http.dependencies import ActorDep, RuntimeDep, SessionDep
from app.core.http.route_dependencies import DocumentedDependency, Operation, document_error
from app.feature_flags.errors import FeatureDisabledError
from app.feature_flags.evaluation import FeatureFlags
from app.feature_flags.service import FlagAdministration
from app.users.dependencies import CurrentUser


class RequireFlag(DocumentedDependency):
    """Admit users for whom a flag is on. See `require_flag`."""

    def __init__(self, key: str) -> None:
        self.key = key

    @override
    def document(self, operation: Operation) -> None:
        """Add the flag and the error to an operation."""
        operation["x-required-flags"] = [*operation.get("x-required-flags", ()), self.key]
        document_error(operation, FeatureDisabledError, f"The flag `{self.key}` is off for the user.")

    async def __call__(self, user: CurrentUser, runtime: RuntimeDep) -> None:
        """Admit the user.

        Raises:
            FeatureDisabledError: the flag is off for the user.
        """
        if not await runtime.flags.enabled(self.key, user):
            raise FeatureDisabledError(self.key)


def require_flag(key: str) -> RequireFlag:
    """Return a dependency that admits users for whom the flag is on.

    Use: `@router.get("/editor", dependencies=[Depends(require_flag("new-editor"))])`.
    """
    return RequireFlag(key)


async def feature_flags(runtime: RuntimeDep) -> FeatureFlags:
    """Return the evaluation of flags."""
    return runtime.resource(FeatureFlags)


FeatureFlagsDep = Annotated[FeatureFlags, Depends(feature_flags)]


async def flag_administration(
    session: SessionDep, runtime: RuntimeDep, flags: FeatureFlagsDep, actor: ActorDep
) -> FlagAdministration:
    """Return the administration of flags by the current administrator, in the request's transaction."""
    return FlagAdministration(session=session, audit=runtime.audit, store=flags.store, actor=actor)


FlagAdministrationDep = Annotated[FlagAdministration, Depends(flag_administration)]
