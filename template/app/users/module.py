"""Users: their identities and roles, and the guards of the app and admin areas."""

from fastapi import Depends

from app.auth.events import IdentityChanged, IdentityDeleted
from app.core.admin_view import AdminAction, AdminView
from app.core.manifest import Guards, Module, Subscriber
from app.users.admin_routes import router as admin_router
from app.users.commands import user
from app.users.data_policy import FIGURES, PERSONAL_DATA, REPORT_METRICS, RETENTION
from app.users.dependencies import admin_user, current_user
from app.users.jobs import delete_user_data, export_user_data
from app.users.models import User, UserIdentity
from app.users.role_checks import UNKNOWN_ROLES, set_up_access
from app.users.routes import router
from app.users.subscribers import on_identity_changed, on_identity_deleted

module = Module(
    name="users",
    models=(User, UserIdentity),
    router=router,
    admin_router=admin_router,
    # Users can always reach their own account.
    unmetered=True,
    guards=Guards(app=Depends(current_user), admin=Depends(admin_user)),
    jobs=(export_user_data, delete_user_data),
    subscribers=(
        Subscriber(IdentityChanged, on_identity_changed),
        Subscriber(IdentityDeleted, on_identity_deleted),
    ),
    diagnostics=(UNKNOWN_ROLES,),
    setup=set_up_access,
    commands=(user,),
    personal_data=PERSONAL_DATA,
    retention=RETENTION,
    report_metrics=REPORT_METRICS,
    figures=FIGURES,
    admin_views=(
        AdminView(
            title="Users",
            path="/users",
            columns=("email", "full_name", "role", "is_active", "created_at"),
            actions=(
                AdminAction(path="/deactivate", only_if={"is_active": (True,)}, danger=True),
                AdminAction(path="/activate", only_if={"is_active": (False,)}),
            ),
        ),
    ),
)
