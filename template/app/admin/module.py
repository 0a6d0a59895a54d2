"""Administration: the browser admin, and admin routes for the inbox."""

from fastapi import APIRouter

from app.admin.inbox_routes import INBOX
from app.admin.inbox_routes import router as inbox_router
from app.admin.ui.routes import page_router, set_up_admin_ui
from app.admin.ui.routes import router as views_router
from app.admin.ui.settings import AdminUiSettings
from app.core.manifest import Module

admin_router = APIRouter()
admin_router.include_router(inbox_router)
admin_router.include_router(views_router)

module = Module(
    name="admin",
    admin_router=admin_router,
    page_router=page_router,
    settings=(AdminUiSettings,),
    setup=set_up_admin_ui,
    admin_views=(INBOX,),
)
