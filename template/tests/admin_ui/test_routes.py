"""The page of the browser admin, its files, and the description of its views."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from app.admin.ui.files import FOLDER, MEDIA_TYPES
from app.core.db.database import Database
from app.core.lifecycle import running
from app.main import create_app
from app.modules import MODULES
from app.users.roles import Role
from tests.conftest import SignIn, make_client, make_runtime

PAGE = "/admin"
VIEWS = "/api/v1/admin/views"
FILES = sorted(path.name for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES)


class TestPage:
    async def test_loads_only_its_own_scripts_and_styles(self, client: httpx.AsyncClient) -> None:
        answer = await client.get(PAGE)

        assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
        assert "require-trusted-types-for 'script'; trusted-types 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "set-cookie" not in answer.headers
        addresses = re.findall(r'(?:src|href)="([^"#]+)"', answer.text)
        assert {address.removeprefix("admin/") for address in addresses} <= set(FILES)

    @pytest.mark.usefixtures("environment")
    async def test_names_the_product_as_text(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PROJECT_NAME", '<script>"Acme" & Co')
        monkeypatch.setenv("API_V1_STR", "/v9")
        async with (
            running(make_runtime(database), background=False) as runtime,
            make_client(create_app(MODULES, runtime=runtime)) as client,
        ):
            page = (await client.get(PAGE)).text

        assert "<title>&lt;script&gt;&quot;Acme&quot; &amp; Co administration</title>" in page
        assert '<meta name="admin-api" content="v9/admin">' in page
        assert "{{" not in page


class TestFiles:
    @pytest.mark.parametrize("name", FILES)
    async def test_are_served_with_their_type(self, client: httpx.AsyncClient, name: str) -> None:
        answer = await client.get(f"{PAGE}/{name}")

        assert answer.status_code == 200
        assert answer.content == (FOLDER / name).read_bytes()
        assert answer.headers["content-type"].split(";")[0] == MEDIA_TYPES[f".{name.rpartition('.')[2]}"]

    @pytest.mark.parametrize("path", [PAGE, f"{PAGE}/main.js"])
    async def test_are_kept_by_browsers_and_compared(self, client: httpx.AsyncClient, path: str) -> None:
        first = await client.get(path)
        etag = first.headers["etag"]
        assert first.headers["cache-control"] == "no-cache"

        again = await client.get(path, headers={"If-None-Match": f'"old", W/{etag}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", etag)
        other = await client.get(path, headers={"If-None-Match": '"old"'})
        assert (other.status_code, other.content) == (200, first.content)

    @pytest.mark.parametrize(
        "name", ["missing.js", "index.html", "..%2ffiles.py", "%2e%2e", "main.js%00", "__init__.py"]
    )
    async def test_nothing_else_is_served(self, client: httpx.AsyncClient, name: str) -> None:
        assert (await client.get(f"{PAGE}/{name}")).status_code == 404


class TestViews:
    async def test_are_described_to_administrators(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        admin = await sign_in(email="admin@example.com", role=Role.ADMIN)

        answer = await client.get(VIEWS, headers=admin)

        assert answer.status_code == 200
        assert answer.json()["user"]["email"] == "admin@example.com"
        assert {"/users", "/inbox"} <= {view["path"] for view in answer.json()["views"]}

    async def test_are_not_described_to_others(self, client: httpx.AsyncClient, sign_in: SignIn) -> None:
        assert (await client.get(VIEWS)).status_code == 401
        assert (await client.get(VIEWS, headers=await sign_in())).status_code == 403


class TestSwitchedOff:
    @pytest.fixture
    async def client(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
        """A client of an application without the browser admin."""
        monkeypatch.setenv("ADMIN_UI", "false")
        async with running(make_runtime(database), background=False) as runtime:
            app: FastAPI = create_app(MODULES, runtime=runtime)
            async with make_client(app) as opened:
                yield opened

    @pytest.mark.parametrize("path", [PAGE, f"{PAGE}/main.js"])
    async def test_there_is_no_page(self, client: httpx.AsyncClient, path: str) -> None:
        answer = await client.get(path)

        unknown = await client.get("/nowhere")
        assert answer.status_code == 404
        assert answer.json()["error"]["message"] == unknown.json()["error"]["message"]
