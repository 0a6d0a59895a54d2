"""The browser admin in Chromium: used by mouse and keyboard, with hostile data, without a connection, on a phone."""

import json
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest
from omnistack.shell.process import program
from omnistack.suites.cell import write
from omnistack.suites.steps import Site, environment
from omnistack.template.render import Renderer
from playwright.sync_api import Browser, Error, Page, Route, expect, sync_playwright

from tests.template.test_first_checkout_page import server
from tests.template.test_own_module_page import ROOT

expect.set_options(timeout=30_000)

PROGRAMS: Final = ("chromium", "chromium-browser", "google-chrome")
# Each would set the page's title if a browser took it for HTML or a script.
HOSTILE: Final = (
    '<img src=x onerror="document.title=1">',
    "<script>document.title=1</script>",
    "\"><svg onload='document.title=1'>",
    "javascript:document.title=1",
    "{{constructor.constructor('document.title=1')()}}",
)
FAILURES: Final[tuple[dict[str, Any] | None, ...]] = (
    None,
    {"status": 502, "content_type": "text/html", "body": "<h1>Bad gateway</h1>"},
    {"status": 500, "content_type": "application/json", "body": "null"},
    {"status": 200, "content_type": "application/json", "body": '{"items": ['},
)
"""Responses of a failing server or proxy; `None` is a connection that is cut."""
DARK_BACKGROUND: Final = "rgb(20, 22, 26)"
PHONE: Final = 390
"""Width of a small phone in pixels."""


def chromium() -> str:
    """Return the path of the installed browser."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    assert found is not None, f"Install a browser: none of {', '.join(PROGRAMS)} is in PATH."
    return found


@dataclass(frozen=True, slots=True)
class Backend:
    """A running project with the browser admin."""

    site: Site
    url: str

    def token(self, email: str) -> str:
        """Return a token of a user, who exists afterwards."""
        command = [program("uv"), "run", "app", "token", "--email", email]
        ran = subprocess.run(command, cwd=self.site.folder, env=self.site.environment, capture_output=True, check=True)
        token = ran.stdout.decode().strip()
        self.request("GET", token)
        return token

    def request(self, method: str, token: str, body: object = None) -> None:
        """Send a request to the route of the token's own user."""
        request = urllib.request.Request(  # noqa: S310 - of this machine
            f"{self.url}/api/v1/app/users/me",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {token}", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request, timeout=60):  # noqa: S310 - of this machine
            pass


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    """A project with the admin, an administrator, and users with hostile names."""
    folder = tmp_path_factory.mktemp("admin") / "project"
    write(Renderer(ROOT).render({"preset": "minimal", "admin": True}), folder)
    url = f"sqlite+aiosqlite:///{folder.parent / 'database.db'}"
    cache = folder.parent
    site = Site(folder, environment(url, types_cache=cache / "types", bytecode=cache / "bytecode"))
    site.run("uv", "sync", "--quiet")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    with server(site, port):
        made = Backend(site, f"http://127.0.0.1:{port}")
        made.token("admin@example.com")
        site.run("uv", "run", "app", "user", "grant", "admin@example.com", "admin")
        for number, name in enumerate(HOSTILE):
            made.request("PATCH", made.token(f"user{number}@example.com"), {"full_name": name})
        yield made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The browser."""
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield opened
        opened.close()


type Open = Callable[..., Page]


@pytest.fixture
def open_admin(backend: Backend, browser: Browser) -> Iterator[Open]:
    """Opens the page. At the end, the browser must have reported no error and loaded nothing from elsewhere."""
    problems: list[str] = []
    requested: list[str] = []
    pages: list[Page] = []

    def open_page(*, width: int = 1100, dark: bool = False) -> Page:
        context = browser.new_context(
            viewport={"width": width, "height": 800}, color_scheme="dark" if dark else "light"
        )
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text) if is_problem(message.text) else None)
        page.on(
            "request", lambda request: None if request.url.startswith(backend.url) else problems.append(request.url)
        )
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.goto(f"{backend.url}/admin")
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        assert page.context.cookies() == []
        assert page.evaluate("localStorage.length + sessionStorage.length") == 0
        page.context.close()
    assert problems == []
    assert [url for url in requested if not url.startswith(backend.url)] == []


def is_problem(message: str) -> bool:
    """Return whether a message of the console is an error, other than a request that the test lets fail."""
    return "Failed to load resource" not in message


def sign_in(page: Page, token: str) -> None:
    page.get_by_label("Access token").fill(token)
    page.keyboard.press("Enter")


@contextmanager
def offline(page: Page) -> Iterator[None]:
    """Cut the page off from the server until the end of the block."""
    page.context.set_offline(True)
    yield
    page.context.set_offline(False)


@pytest.mark.slow
class TestBrowserAdmin:
    def test_only_administrators_sign_in(self, backend: Backend, open_admin: Open) -> None:
        page = open_admin()

        sign_in(page, "made.up.token")
        expect(page.get_by_role("alert")).to_contain_text("INVALID_TOKEN")
        page.keyboard.press("Escape")
        sign_in(page, backend.token("user0@example.com"))
        expect(page.get_by_role("alert")).to_contain_text("administrator")
        # As it is copied from a header or a terminal.
        sign_in(page, f"Bearer {backend.token('admin@example.com')}\n")
        expect(page.locator("#account")).to_contain_text("admin@example.com")
        expect(page.get_by_role("heading", name="Overview")).to_be_visible()

    def test_hostile_values_are_shown_as_texts(self, backend: Backend, open_admin: Open) -> None:
        page = open_admin()
        sign_in(page, backend.token("admin@example.com"))

        page.locator("#menu").get_by_role("link", name="Users").click()
        for number, name in enumerate(HOSTILE):
            expect(page.get_by_role("cell", name=name, exact=True)).to_be_visible()
            page.get_by_role("link", name=f"user{number}@example.com").click()
            expect(page.locator("dd", has_text=name)).to_be_visible()
            page.get_by_role("button", name="Edit").click()
            expect(page.get_by_label("Full name")).to_have_value(name)
            page.keyboard.press("Escape")
            page.keyboard.press("u")
        assert page.title().startswith("Users")
        assert page.locator("main img, main script, main svg").count() == 0

    def test_a_mistake_in_a_script_could_not_make_html_of_a_text(self, backend: Backend, browser: Browser) -> None:
        page = browser.new_page()
        page.goto(f"{backend.url}/admin")

        with pytest.raises(Error, match="TrustedHTML"):
            page.evaluate("document.body.innerHTML = '<b>x</b>'")
        page.close()

    def test_a_user_is_found_edited_and_deactivated_with_the_keyboard(self, backend: Backend, open_admin: Open) -> None:
        page = open_admin()
        sign_in(page, backend.token("admin@example.com"))
        page.locator("#menu").get_by_role("link", name="Users").click()
        expect(page.locator("tbody tr")).to_have_count(len(HOSTILE) + 1)

        page.keyboard.press("/")
        page.keyboard.type("user1@")
        page.keyboard.press("Enter")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.keyboard.press("j")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Edit").press("Enter")
        page.get_by_label("Full name").fill("Ann")
        page.keyboard.press("Enter")
        expect(page.locator("dd", has_text="Ann")).to_be_visible()

        page.get_by_role("button", name="Deactivate user").press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("No data is deleted.")
        # In a dangerous dialog, Enter cancels.
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_have_count(0)
        page.get_by_role("button", name="Deactivate user").click()
        page.get_by_role("dialog").get_by_role("button", name="Deactivate user").click()
        expect(page.get_by_role("button", name="Activate user", exact=True)).to_be_visible()

        page.keyboard.press("u")
        page.get_by_label("Active").select_option("No")
        expect(page.locator("tbody tr")).to_have_count(1)
        page.get_by_role("link", name="Clear").click()
        page.get_by_label("Search", exact=True).fill("nowhere")
        page.keyboard.press("Enter")
        expect(page.locator(".empty")).to_contain_text("Nothing matches.")

    def test_errors_are_shown_and_nothing_is_lost(self, backend: Backend, open_admin: Open) -> None:
        page = open_admin()
        sign_in(page, backend.token("admin@example.com"))
        page.locator("#menu").get_by_role("link", name="Users").click()
        page.get_by_role("link", name="user2@example.com").click()
        page.get_by_role("button", name="Edit").click()

        # The server refuses a value: the inputs stay.
        page.get_by_label("Role").fill("Not a role")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("role: ")
        expect(page.get_by_label("Role")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Role").fill("user")
        page.get_by_label("Full name").fill("Bob")
        with offline(page):
            page.keyboard.press("Enter")
            expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
        # The token is refused meanwhile: with another one, the same request is sent again.
        backend.site.run("uv", "run", "app", "user", "revoke-tokens", "admin@example.com")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("dialog", name="Sign in")).to_be_visible()
        sign_in(page, backend.token("admin@example.com"))
        expect(page.locator("dd", has_text="Bob")).to_be_visible()

        with offline(page):
            page.keyboard.press("u")
            expect(page.get_by_role("alert")).to_contain_text("cannot be reached")
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("tbody tr")).to_have_count(len(HOSTILE) + 1)

    @pytest.mark.parametrize("failure", FAILURES)
    def test_no_view_waits_for_a_response_that_failed(
        self, backend: Backend, open_admin: Open, failure: dict[str, Any] | None
    ) -> None:
        page = open_admin()

        def answer(route: Route) -> None:
            if failure is None:
                route.abort()
            else:
                route.fulfill(**failure)

        for calls in ("**/admin/dashboard/**", "**/admin/users**"):
            page.route(calls, answer)
        sign_in(page, backend.token("admin@example.com"))
        for place in ("#/", "#/users", "#/users/1", "#/dashboard/audit-logs"):
            page.evaluate("place => location.hash = place", place)
            expect(page.get_by_role("alert")).to_be_visible()
            expect(page.get_by_role("button", name="Try again")).to_have_count(1)
            expect(page.get_by_text("Loading…")).to_have_count(0)
            page.evaluate("location.hash = '#/inbox'")
            expect(page.get_by_role("alert")).to_have_count(0)

    def test_fits_a_phone_and_a_dark_room(self, backend: Backend, open_admin: Open) -> None:
        page = open_admin(width=PHONE, dark=True)
        sign_in(page, backend.token("admin@example.com"))
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == DARK_BACKGROUND

        for link in page.locator("#menu a").all():
            link.click()
            expect(link).to_have_attribute("aria-current", "page")
            expect(page.locator("main [aria-busy]")).to_have_count(0)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE, link.text_content()
