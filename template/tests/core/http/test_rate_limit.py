"""Who may ask how often, of which route."""

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Depends, Header, HTTPException, Request
from pydantic import BaseModel

from app.core.config.settings import ConfigurationError
from app.core.errors import UnauthorizedError
from app.core.http.rate_limit import RateLimit, limit_address, limit_failed_authentication, limit_user
from app.core.manifest import Guards, Module
from app.core.runtime import Runtime
from tests.core.applications import API, PUBLIC, Build, client_of, error_of, module

HEADERS = ("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset")


class Thing(BaseModel):
    size: int


async def read() -> dict[str, str]:
    return {}


async def read_one(id: str) -> dict[str, str]:  # noqa: A002 - the name in the path
    return {"id": id}


async def make(thing: Thing) -> Thing:
    return thing


async def refuse() -> None:
    raise HTTPException(409, "No.")


async def fail() -> None:
    raise RuntimeError


SMALL = module(
    ("GET", "/thing", read),
    ("GET", "/other", read),
    ("GET", "/things/{id}", read_one),
    ("DELETE", "/things/{id}", read_one),
    ("POST", "/thing", make),
    ("GET", "/refuse", refuse),
    ("GET", "/fail", fail),
)


async def statuses(client: httpx.AsyncClient, *paths: str) -> list[int]:
    return [(await client.get(path if path.startswith("/") else f"{PUBLIC}/{path}")).status_code for path in paths]


def remaining(answer: httpx.Response) -> int:
    return int(answer.headers["x-ratelimit-remaining"])


async def guard(request: Request, user: Annotated[str | None, Header()] = None) -> None:
    """Somebody who names themselves is believed."""
    if user is None:
        await limit_address(request)
        raise UnauthorizedError
    if user == "impostor":
        await limit_failed_authentication(request)
        raise UnauthorizedError
    await limit_user(request, user)


def guarded(*routes: tuple[str, Any], rate: RateLimit | None = None) -> Module:
    router = APIRouter()
    for path, endpoint in routes:
        router.add_api_route(path, endpoint, dependencies=[Depends(rate)] if rate else None)
    return Module(name="guarded", router=router, guards=Guards(app=Depends(guard), admin=Depends(guard)))


class TestPublicRoutes:
    async def test_refuse_an_address_that_comes_too_often(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="2/hour")) as client:
            assert await statuses(client, "thing", "thing", "thing") == [200, 200, 429]

    async def test_say_when_to_come_again(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            await statuses(client, "thing")
            answer = await client.get(f"{PUBLIC}/thing")

        seconds = int(answer.headers["retry-after"])
        assert 0 < seconds <= 3600
        assert answer.headers["x-ratelimit-reset"] == answer.headers["retry-after"]
        assert answer.headers["x-ratelimit-remaining"] == "0"
        assert error_of(answer)["code"] == "RATE_LIMITED"
        assert error_of(answer)["details"] == {"retry_after": seconds}

    async def test_count_down(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="60/hour")) as client:
            answers = [await client.get(f"{PUBLIC}/thing") for _ in range(3)]

        assert [remaining(answer) for answer in answers] == [59, 58, 57]
        assert all(answer.headers["x-ratelimit-limit"] == "60" for answer in answers)
        assert all("retry-after" not in answer.headers for answer in answers)

    async def test_count_each_address_apart(self, build: Build) -> None:
        app = build(SMALL, RATE_LIMIT_DEFAULT="1/hour")
        async with client_of(app, peer="192.0.2.1") as one, client_of(app, peer="192.0.2.2") as another:
            assert await statuses(one, "thing", "thing") == [200, 429]
            assert await statuses(another, "thing") == [200]

    async def test_count_by_template_not_by_path(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="2/hour")) as client:
            assert await statuses(client, "things/1", "things/2", "things/3", "other") == [200, 200, 429, 200]

    async def test_count_methods_apart(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            await client.get(f"{PUBLIC}/things/1")
            assert (await client.delete(f"{PUBLIC}/things/1")).status_code == 200

    async def test_that_share_an_endpoint_are_counted_apart(self, build: Build) -> None:
        # `/thing` and `/other` are one function.
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            assert await statuses(client, "thing", "other") == [200, 200]

    @pytest.mark.parametrize(
        ("method", "path", "status"),
        [
            ("GET", "thing", 200),
            ("GET", "refuse", 409),
            ("GET", "fail", 500),
            ("GET", "nothing", 404),
            ("PUT", "thing", 405),
            ("POST", "thing", 422),
        ],
    )
    async def test_say_how_much_is_left_whatever_the_answer(
        self, build: Build, method: str, path: str, status: int
    ) -> None:
        async with client_of(build(SMALL)) as client:
            answer = await client.request(method, f"{PUBLIC}/{path}")

        assert answer.status_code == status
        assert [name in answer.headers for name in HEADERS] == [True, True, True]

    async def test_count_a_body_that_no_dependency_has_seen(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            headers = {"Content-Type": "application/json"}
            answers = [await client.post(f"{PUBLIC}/thing", content="{", headers=headers) for _ in range(2)]

        assert [answer.status_code for answer in answers] == [422, 429]

    async def test_count_a_request_once(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="60/hour")) as client:
            answers = [await client.post(f"{PUBLIC}/thing", json={}) for _ in range(2)]

        assert [remaining(answer) for answer in answers] == [59, 58]

    async def test_let_no_more_pass_when_all_come_at_once(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="10/hour")) as client:
            answers = await asyncio.gather(*(client.get(f"{PUBLIC}/thing") for _ in range(50)))

        assert sorted(answer.status_code for answer in answers) == [200] * 10 + [429] * 40


class TestProxies:
    async def test_that_are_not_trusted_are_the_client(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="1/hour")) as client:
            answers = [
                await client.get(f"{PUBLIC}/thing", headers={"X-Forwarded-For": f"192.0.2.{number}"})
                for number in range(2)
            ]

        assert [answer.status_code for answer in answers] == [200, 429]

    async def test_that_are_trusted_tell_clients_apart(self, build: Build) -> None:
        app = build(SMALL, RATE_LIMIT_DEFAULT="1/hour", TRUSTED_PROXY_COUNT="1")
        forwarded = ["192.0.2.1", "192.0.2.2", "192.0.2.9, 192.0.2.1"]
        async with client_of(app) as client:
            answers = [await client.get(f"{PUBLIC}/thing", headers={"X-Forwarded-For": value}) for value in forwarded]

        assert [answer.status_code for answer in answers] == [200, 200, 429]


class TestUnknownRoutes:
    async def test_share_one_count(self, build: Build) -> None:
        async with client_of(build(SMALL, RATE_LIMIT_DEFAULT="2/hour")) as client:
            assert await statuses(client, "a", "/b", "/api/v1/app/c", "thing") == [404, 404, 429, 200]


class TestHealth:
    async def test_is_never_refused(self, build: Build) -> None:
        async with client_of(build(RATE_LIMIT_DEFAULT="1/hour")) as client:
            answers = [await client.get(f"{PUBLIC}/health") for _ in range(5)]

        assert [answer.status_code for answer in answers] == [200] * 5
        assert all(name not in answers[0].headers for name in HEADERS)


class TestUsers:
    async def test_are_counted_wherever_they_are(self, build: Build) -> None:
        app = build(guarded(("/thing", read)), RATE_LIMIT_DEFAULT="1/hour")
        async with (
            client_of(app, peer="192.0.2.1", headers={"User": "ann"}) as home,
            client_of(app, peer="192.0.2.2", headers={"User": "ann"}) as office,
        ):
            assert await statuses(home, f"{API}/app/thing") == [200]
            assert await statuses(office, f"{API}/app/thing") == [429]

    async def test_behind_one_address_are_counted_apart(self, build: Build) -> None:
        app = build(guarded(("/thing", read)), RATE_LIMIT_DEFAULT="1/hour")
        async with client_of(app, headers={"User": "ann"}) as ann, client_of(app, headers={"User": "bob"}) as bob:
            assert await statuses(ann, f"{API}/app/thing") == [200]
            assert await statuses(bob, f"{API}/app/thing") == [200]


class TestFailedAuthentication:
    async def test_is_refused_sooner(self, build: Build) -> None:
        app = build(guarded(("/thing", read)), RATE_LIMIT_AUTH="2/hour")
        async with client_of(app, headers={"User": "impostor"}) as client:
            answers = [await client.get(f"{API}/app/thing") for _ in range(3)]

        assert [answer.status_code for answer in answers] == [401, 401, 429]
        assert answers[0].headers["x-ratelimit-limit"] == "2"
        assert "retry-after" in answers[2].headers

    async def test_counts_all_routes_together(self, build: Build) -> None:
        app = build(guarded(("/thing", read), ("/other", read)), RATE_LIMIT_AUTH="1/hour")
        async with client_of(app, headers={"User": "impostor"}) as client:
            assert await statuses(client, f"{API}/app/thing", f"{API}/app/other") == [401, 429]

    async def test_does_not_shut_out_users_of_the_same_address(self, build: Build) -> None:
        app = build(guarded(("/thing", read)), RATE_LIMIT_AUTH="1/hour")
        async with (
            client_of(app, headers={"User": "impostor"}) as impostor,
            client_of(app, headers={"User": "ann"}) as ann,
        ):
            await statuses(impostor, f"{API}/app/thing", f"{API}/app/thing")
            assert await statuses(ann, f"{API}/app/thing") == [200]


class TestRateLimit:
    def of(self, rate: RateLimit, *paths: str) -> Module:
        router = APIRouter()
        for path in paths:
            router.add_api_route(path, read, dependencies=[Depends(rate)])
        router.add_api_route("/plain", read)
        return Module(name="small", public_router=router)

    async def test_replaces_the_default(self, build: Build) -> None:
        app = build(self.of(RateLimit("3/hour", name="rare"), "/rare"), RATE_LIMIT_DEFAULT="1/hour")
        async with client_of(app) as client:
            assert await statuses(client, "rare", "rare", "rare", "rare") == [200, 200, 200, 429]
            assert await statuses(client, "plain", "plain") == [200, 429]

    async def test_of_one_name_is_shared(self, build: Build) -> None:
        app = build(self.of(RateLimit("1/hour", name="rare"), "/one", "/two"))
        async with client_of(app) as client:
            assert await statuses(client, "one", "two") == [200, 429]

    async def test_may_come_from_the_settings(self, build: Build) -> None:
        def rate(runtime: Runtime) -> str:
            return runtime.settings.RATE_LIMIT_AUTH

        app = build(self.of(RateLimit(rate, name="rare"), "/rare"), RATE_LIMIT_AUTH="2/hour")
        async with client_of(app) as client:
            assert await statuses(client, "rare", "rare", "rare") == [200, 200, 429]

    async def test_counts_users_where_they_are_known(self, build: Build) -> None:
        app = build(guarded(("/rare", read), rate=RateLimit("1/hour", name="rare")))
        async with client_of(app, headers={"User": "ann"}) as ann, client_of(app, headers={"User": "bob"}) as bob:
            assert await statuses(ann, f"{API}/app/rare", f"{API}/app/rare") == [200, 429]
            assert await statuses(bob, f"{API}/app/rare") == [200]

    async def test_works_where_no_guard_has_counted(self, build: Build) -> None:
        async def nobody() -> None:
            return None

        router = APIRouter()
        router.add_api_route("/rare", read, dependencies=[Depends(RateLimit("1/hour", name="rare"))])
        guards = Guards(app=Depends(nobody), admin=Depends(nobody))
        async with client_of(build(Module(name="small", router=router, guards=guards))) as client:
            assert await statuses(client, f"{API}/app/rare", f"{API}/app/rare") == [200, 429]

    def test_of_no_known_form_is_refused_when_it_is_written(self) -> None:
        with pytest.raises(ValueError, match="like 60/minute"):
            RateLimit("often", name="rare")


class TestOff:
    async def test_counts_nothing_and_sends_no_headers(self, build: Build) -> None:
        app = build(SMALL, RATE_LIMIT_DEFAULT="off")
        async with client_of(app) as client:
            answers = [await client.get(f"{PUBLIC}/thing") for _ in range(100)]

        assert {answer.status_code for answer in answers} == {200}
        assert all(name not in answers[0].headers for name in HEADERS)

    async def test_leaves_other_limits_on(self, build: Build) -> None:
        router = APIRouter()
        router.add_api_route("/rare", read, dependencies=[Depends(RateLimit("1/hour", name="rare"))])
        app = build(
            Module(name="small", public_router=router),
            guarded(("/thing", read)),
            RATE_LIMIT_DEFAULT="off",
            RATE_LIMIT_AUTH="1/hour",
        )
        async with client_of(app) as client, client_of(app, headers={"User": "impostor"}) as impostor:
            assert await statuses(client, "rare", "rare") == [200, 429]
            assert await statuses(impostor, f"{API}/app/thing", f"{API}/app/thing") == [401, 429]

    async def test_of_a_route_counts_nothing(self, build: Build) -> None:
        app = build(guarded(("/rare", read), rate=RateLimit("off", name="rare")), RATE_LIMIT_DEFAULT="1/hour")
        async with client_of(app, headers={"User": "ann"}) as ann:
            assert await statuses(ann, *[f"{API}/app/rare"] * 3) == [200, 200, 200]


class TestSettings:
    @pytest.mark.parametrize("name", ["RATE_LIMIT_DEFAULT", "RATE_LIMIT_AUTH"])
    def test_of_no_known_form_stop_the_start(self, build: Build, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"{name} must be a number of requests per time, like 60/minute"):
            build(**{name: "often"})
