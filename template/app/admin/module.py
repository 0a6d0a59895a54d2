"""Administration: the figures of every module, for administrators."""

from app.admin.admin_routes import router as admin_router
from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime


def _check_figures(runtime: Runtime) -> None:
    """Check that every figure has a name of its own.

    Raises:
        ValueError: two have the same one.
    """
    names = [figure.name for module in modules_of(runtime) for figure in module.figures]
    if len(set(names)) < len(names):
        raise ValueError(f"Two figures have the same name; each needs one of its own: {', '.join(sorted(names))}.")


module = Module(name="admin", admin_router=admin_router, setup=_check_figures)
