"""Limits of users and of single routes, and turning limits off."""

import pytest
from fastapi import APIRouter, Depends

from app.core.config.settings import ConfigurationError
from app.core.http.rate_limit import RateLimit
from app.core.manifest import Guards, Module
from app.core.runtime import Runtime
from tests.core.applications import API, PUBLIC, Build, client_of
from tests.core.rate_limiting.requests import HEADERS, SMALL, guarded, read, statuses


class TestUsers:
    async def test_are_counted_across_addresses(self, build: Build) -> None:
        app = build(guarded(("/thing", read)), RATE_LIMIT_DEFAULT="1/hour")
        async with (
            client_of(app, peer="192.0.2.1", headers={"User": "ann"}) as home,
            client_of(app, peer="192.0.2.2", headers={"User": "ann"}) as office,
        ):
            assert await statuses(home, f"{API}/app/thing") == [200]
            assert await statuses(office, f"{API}/app/thing") == [429]

    async def test_behind_one_address_are_counted_separately(self, build: Build) -> None:
        app = build(guarded(("/thing", read)), RATE_LIMIT_DEFAULT="1/hour")
        async with client_of(app, headers={"User": "ann"}) as ann, client_of(app, headers={"User": "bob"}) as bob:
            assert await statuses(ann, f"{API}/app/thing") == [200]
            assert await statuses(bob, f"{API}/app/thing") == [200]


class TestFailedAuthentication:
    async def test_has_a_lower_limit(self, build: Build) -> None:
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

    async def test_does_not_affect_users_of_the_same_address(self, build: Build) -> None:
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

    async def test_can_come_from_the_settings(self, build: Build) -> None:
        def rate(runtime: Runtime) -> str:
            return runtime.settings.RATE_LIMIT_AUTH

        app = build(self.of(RateLimit(rate, name="rare"), "/rare"), RATE_LIMIT_AUTH="2/hour")
        async with client_of(app) as client:
            assert await statuses(client, "rare", "rare", "rare") == [200, 200, 429]

    async def test_counts_known_users(self, build: Build) -> None:
        app = build(guarded(("/rare", read), rate=RateLimit("1/hour", name="rare")))
        async with client_of(app, headers={"User": "ann"}) as ann, client_of(app, headers={"User": "bob"}) as bob:
            assert await statuses(ann, f"{API}/app/rare", f"{API}/app/rare") == [200, 429]
            assert await statuses(bob, f"{API}/app/rare") == [200]

    async def test_works_without_a_guard(self, build: Build) -> None:
        async def nobody() -> None:
            return None

        router = APIRouter()
        router.add_api_route("/rare", read, dependencies=[Depends(RateLimit("1/hour", name="rare"))])
        guards = Guards(app=Depends(nobody), admin=Depends(nobody))
        async with client_of(build(Module(name="small", router=router, guards=guards))) as client:
            assert await statuses(client, f"{API}/app/rare", f"{API}/app/rare") == [200, 429]

    def test_of_an_unknown_form_is_refused_immediately(self) -> None:
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
    def test_of_an_unknown_form_stop_the_start(self, build: Build, name: str) -> None:
        with pytest.raises(ConfigurationError, match=f"{name} must be a number of requests per time, like 60/minute"):
            build(**{name: "often"})
