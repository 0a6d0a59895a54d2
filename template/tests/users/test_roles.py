"""The roles of a project: their rules, and the checks when the application starts."""

import pytest
from fastapi import APIRouter, Depends

from app import project_roles
from app.cli.errors import explanation
from app.core.config.settings import ConfigurationError
from app.core.lifecycle import create_runtime
from app.core.manifest import Module
from app.modules import MODULES
from app.users.dependencies import require_permission, require_role
from app.users.errors import UnknownRoleError
from app.users.roles import AccessPolicy, InvalidRolesError, Role, RoleDefinition
from tests.cli.test_commands import app
from tests.users.own_roles import define_roles

PERMISSIONS = ("projects:export", "tickets:answer")
SUPPORT = RoleDefinition("support", permissions=("tickets:answer",))


def problems(permissions: tuple[str, ...], *roles: RoleDefinition) -> list[str]:
    """Return the lines of the error that name a problem."""
    with pytest.raises(InvalidRolesError) as raised:
        AccessPolicy(permissions, roles)
    return str(raised.value).splitlines()[1:-1]


class TestPolicy:
    def test_administrators_have_every_permission_and_users_none(self) -> None:
        policy = AccessPolicy(PERMISSIONS, (SUPPORT,))

        assert policy.roles == ("user", "admin", "support")
        assert policy.permissions_of(Role.ADMIN) == set(PERMISSIONS)
        assert policy.permissions_of(Role.USER) == set()
        assert policy.permissions_of("support") == {"tickets:answer"}

    def test_a_role_that_was_removed_counts_as_user(self) -> None:
        policy = AccessPolicy(PERMISSIONS, (SUPPORT,))

        assert [policy.effective_role(role) for role in ("support", "admin", "removed")] == ["support", "admin", "user"]
        assert policy.permissions_of("removed") == set()

    @pytest.mark.parametrize("role", ["removed", "Admin", "\u0430dmin", "admin\n", "\uff41dmin", ""])
    def test_only_roles_that_exist_can_be_assigned(self, role: str) -> None:
        with pytest.raises(UnknownRoleError):
            AccessPolicy(PERMISSIONS, (SUPPORT,)).require(role)

    @pytest.mark.parametrize(
        "name", ["", "Support", "sup port", "1st", "-x", "support\n", "s\u0443pport", "\uff53upport", "x" * 51, "a:b"]
    )
    def test_a_name_has_one_spelling(self, name: str) -> None:
        (problem,) = problems((), RoleDefinition(name))

        assert problem.isascii()
        assert "malformed" in problem

    @pytest.mark.parametrize(
        "name", ["", "export", "projects:", ":export", "Projects:export", "a:b c", "a:" + "b" * 99]
    )
    def test_a_permission_is_an_area_and_an_action(self, name: str) -> None:
        assert "malformed" in problems((name,))[0]

    def test_all_problems_are_listed_in_one_error(self) -> None:
        found = problems(
            ("a:b", "a:b"),
            RoleDefinition("admin"),
            RoleDefinition("user"),
            RoleDefinition("support", permissions=("a:c",)),
            RoleDefinition("support"),
        )

        assert found == [
            "  PERMISSIONS: a:b is listed twice",
            "  ROLES: support is defined twice",
            "  ROLES: admin is reserved; every project has this role",
            "  ROLES: user is reserved; every project has this role",
            "  ROLES: 'support' has the permission 'a:c', which PERMISSIONS does not list",
        ]


class TestStart:
    @pytest.fixture(autouse=True)
    def own_roles(self, monkeypatch: pytest.MonkeyPatch, environment: None) -> None:  # noqa: ARG002 - the order matters
        define_roles(monkeypatch, SUPPORT, permissions=PERMISSIONS)

    def test_guards_name_roles_and_permissions_that_exist(self) -> None:
        nested = APIRouter(dependencies=[Depends(require_role("suport"))])
        nested.add_api_route("/nested", list)
        router = APIRouter(dependencies=[Depends(require_role("support"))])
        router.add_api_route("/export", list, dependencies=[Depends(require_permission("projects:exprt"))])
        router.add_api_route("/answer", list, dependencies=[Depends(require_permission("tickets:answer"))])
        router.add_api_websocket_route("/live", list, dependencies=[Depends(require_role("support", "no-such-role"))])
        router.include_router(nested)

        with pytest.raises(InvalidRolesError) as raised:
            create_runtime([*MODULES, Module(name="tickets", router=router)])

        text = explanation(raised.value) or ""
        assert text.splitlines()[1:-1] == [
            "  tickets: the route /export requires the permission 'projects:exprt', which PERMISSIONS does not list",
            "  tickets: the route /live requires the role 'no-such-role', which ROLES does not define",
            "  tickets: the route /nested requires the role 'suport', which ROLES does not define",
        ]

    def test_a_command_shows_one_clear_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(project_roles, "ROLES", (SUPPORT, SUPPORT))

        result = app("user", "list")

        assert result.exit_code == 1
        assert result.stderr.splitlines()[1:2] == ["  ROLES: support is defined twice"]
        assert "Traceback" not in result.output

    def test_a_guard_without_roles_is_a_mistake(self) -> None:
        with pytest.raises(ValueError, match="at least one role"):
            require_role()

    @pytest.mark.parametrize(
        ("claim", "mapping", "problem"),
        [
            ("role", '{"boss": "admin"}', "administrators are only assigned in the database"),
            ("role", '{"Helpdesk": "suport"}', "'suport', which app/project_roles.py does not define"),
            ("", '{"Helpdesk": "support"}', "needs AUTH_ROLE_CLAIM"),
            ("role", "admin", "AUTH_ROLE_MAPPING"),
        ],
    )
    def test_a_mapping_that_cannot_be_meant_is_refused(
        self, monkeypatch: pytest.MonkeyPatch, claim: str, mapping: str, problem: str
    ) -> None:
        monkeypatch.setenv("AUTH_ROLE_CLAIM", claim)
        monkeypatch.setenv("AUTH_ROLE_MAPPING", mapping)

        with pytest.raises(ConfigurationError, match=problem):
            create_runtime(MODULES)
