"""The routes of the browser admin: its page and files at `/admin`, and the description of its views."""

from functools import cached_property
from typing import Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response, status

from app.admin.ui.files import StaticFile, load_files, load_page
from app.admin.ui.schemas import AdminIdentity, AdminUiRead
from app.admin.ui.settings import AdminUiSettings
from app.admin.ui.views import DescribedViews
from app.core.http.dependencies import RuntimeDep
from app.core.manifest import modules_of
from app.core.runtime import Runtime
from app.users.dependencies import AdminUser

ADMIN: Final = "/admin"


class AdminUi:
    """The page, its files and the described views, each made on first use, as a resource of the runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    @cached_property
    def page(self) -> StaticFile:
        """The page."""
        settings = self._runtime.settings
        return load_page(title=settings.PROJECT_NAME, api=f"{settings.API_V1_STR}/admin")

    @cached_property
    def files(self) -> dict[str, StaticFile]:
        """The scripts and styles by name."""
        return load_files()

    @cached_property
    def views(self) -> DescribedViews:
        """The views of all modules."""
        return DescribedViews.of(modules_of(self._runtime))


def set_up_admin_ui(runtime: Runtime) -> None:
    """Provide the browser admin to its routes."""
    runtime.provide(AdminUi, AdminUi(runtime))


async def require_admin_ui(runtime: RuntimeDep) -> None:
    """Answer as if there was no such route, unless ADMIN_UI is true."""
    if not runtime.resource(AdminUiSettings).ADMIN_UI:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No route has this path.")


page_router = APIRouter(prefix=ADMIN, dependencies=[Depends(require_admin_ui)])
router = APIRouter(prefix="/views", dependencies=[Depends(require_admin_ui)])


@page_router.get("")
async def read_page(runtime: RuntimeDep, request: Request) -> Response:
    """Return the page of the browser admin."""
    return runtime.resource(AdminUi).page.response(request)


@page_router.get("/{name}")
async def read_file(runtime: RuntimeDep, request: Request, name: str) -> Response:
    """Return a script or the styles of the page."""
    file = runtime.resource(AdminUi).files.get(name)
    if file is None:
        raise HTTPException(status.HTTP_404_NOT_FOUND, "No route has this path.")
    return file.response(request)


@router.get("")
async def list_admin_views(runtime: RuntimeDep, admin: AdminUser) -> AdminUiRead:
    """List the views of the browser admin: their columns, filters, forms and actions."""
    described = runtime.resource(AdminUi).views
    user = AdminIdentity(id=admin.id, email=admin.email, full_name=admin.full_name)
    return AdminUiRead(user=user, views=list(described.views), statistics=described.statistics)
