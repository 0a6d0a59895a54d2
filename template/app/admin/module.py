"""Administration: the figures of every module, the browser admin, and admin routes for the inbox."""

from fastapi import APIRouter

from app.admin.admin_routes import router as statistics_router
from app.admin.inbox_routes import INBOX
from app.admin.inbox_routes import router as inbox_router
from app.admin.ui.routes import page_router, set_up_admin_ui
from app.admin.ui.routes import router as views_router
from app.admin.ui.settings import AdminUiSettings
from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime

admin_router = APIRouter()
admin_router.include_router(statistics_router)
admin_router.include_router(inbox_router)
admin_router.include_router(views_router)


def _set_up(runtime: Runtime) -> None:
    """Check that every figure has a name of its own, and provide the browser admin.

    Raises:
        ValueError: two figures have the same name.
    """
    names = [figure.name for module in modules_of(runtime) for figure in module.figures]
    if len(set(names)) < len(names):
        raise ValueError(f"Two figures have the same name; each needs one of its own: {', '.join(sorted(names))}.")
    set_up_admin_ui(runtime)


module = Module(
    name="admin",
    admin_router=admin_router,
    page_router=page_router,
    settings=(AdminUiSettings,),
    setup=_set_up,
    admin_views=(INBOX,),
)
