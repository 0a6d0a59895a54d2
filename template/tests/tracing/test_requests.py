"""Spans of requests and of their parts, as a collector receives them."""

import json
from datetime import timedelta
from typing import Annotated

import pytest
from fastapi import Depends
from sqlalchemy import text

from app.core.context import traceparent
from app.core.ports.cache import cached
from app.core.ports.operations import AICall
from app.core.runtime import Runtime, get_runtime
from app.kit.external_calls import reported_call
from tests.core.applications import PUBLIC, module
from tests.tracing.collector import Collector
from tests.tracing.conftest import Trace

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE_ID}-{PARENT_ID}-01"
UNSAMPLED = f"00-{TRACE_ID}-{PARENT_ID}-00"
SECRET = "correct-horse-battery-staple"

type RuntimeDep = Annotated[Runtime, Depends(get_runtime)]


@cached("things.count", ttl=timedelta(minutes=1))
async def count(_runtime: Runtime) -> int:
    return 1


async def read(runtime: RuntimeDep, id: str) -> dict[str, str | None]:  # noqa: A002 - the name in the path
    await runtime.database.fetch(text(f"SELECT '{SECRET}' AS a, 42 AS b WHERE :id = 'x'"), {"id": id})
    await count(runtime)
    with reported_call("shop"):
        outgoing = traceparent()
    return {"outgoing": outgoing}


async def ask(runtime: RuntimeDep) -> None:
    call = AICall(provider="lab", model="model-x", streamed=False)
    with runtime.telemetry.observe(call):
        call.input_tokens, call.output_tokens, call.cost = 3, 5, 0.25
        with reported_call("lab"):
            pass


async def fail() -> None:
    raise LookupError(SECRET)


THINGS = module(("GET", "/things/{id}", read), ("GET", "/ask", ask), ("GET", "/fail", fail))


async def test_a_request_is_a_span_of_the_callers_trace(trace: Trace, collector: Collector) -> None:
    async with trace(THINGS, PROJECT_NAME="Shop", OTEL_SERVICE_VERSION="1.2.3") as (client, _):
        answer = await client.get(f"{PUBLIC}/things/{SECRET}?token={SECRET}", headers={"traceparent": SAMPLED})

    span = collector.one(f"GET {PUBLIC}/things/{{id}}")
    assert (span.kind, span.trace_id, span.parent_id, span.failed) == ("SERVER", TRACE_ID, PARENT_ID, False)
    assert span.attributes == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "http.route": f"{PUBLIC}/things/{{id}}",
        "app.request_id": answer.headers["x-request-id"],
    }
    names = ("service.name", "service.version", "deployment.environment", "deployment.environment.name")
    assert [span.resource[name] for name in names] == ["Shop", "1.2.3", "local", "local"]
    assert 0 < span.seconds < 10
    assert not any(SECRET.encode() in body for body in collector.bodies)


async def test_its_parts_are_spans_below_it(trace: Trace, collector: Collector) -> None:
    async with trace(THINGS, real=True) as (client, runtime):
        answer = await client.get(f"{PUBLIC}/things/1")
        await client.get(f"{PUBLIC}/things/1")
        database = runtime.database.engine.dialect.name

    request = collector.named(f"GET {PUBLIC}/things/{{id}}")[0]
    query, lookup = collector.named("SELECT")[0], collector.named("cache things.count")
    call = collector.named("call shop")[0]
    assert request.parent_id == ""
    assert {query.parent_id, lookup[0].parent_id, call.parent_id} == {request.span_id}
    assert (query.kind, query.attributes["db.system.name"]) == ("CLIENT", database)
    assert "SELECT ? AS a, ? AS b" in query.attributes["db.query.text"]
    assert [each.attributes["app.cache.hit"] for each in lookup] == [False, True]
    assert call.attributes == {"peer.service": "shop"}
    assert answer.json()["outgoing"] == f"00-{call.trace_id}-{call.span_id}-01"


async def test_a_call_of_a_model_has_the_attributes_of_genai(trace: Trace, collector: Collector) -> None:
    async with trace(THINGS) as (client, _):
        await client.get(f"{PUBLIC}/ask")

    call = collector.one("chat model-x")
    assert call.attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "lab",
        "gen_ai.request.model": "model-x",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.usage.output_tokens": 5,
        "app.gen_ai.streamed": False,
        "app.gen_ai.cost_usd": 0.25,
    }
    assert collector.one("call lab").parent_id == call.span_id


async def test_a_failed_request_has_the_type_of_its_error(trace: Trace, collector: Collector) -> None:
    async with trace(THINGS) as (client, _):
        await client.get(f"{PUBLIC}/fail")

    span = collector.one(f"GET {PUBLIC}/fail")
    assert (span.failed, span.attributes["error.type"]) == (True, "LookupError")
    assert not any(SECRET.encode() in body for body in collector.bodies)


async def test_unknown_paths_and_methods_share_a_name(trace: Trace, collector: Collector) -> None:
    async with trace(THINGS) as (client, _):
        await client.get(f"{PUBLIC}/{SECRET}")
        await client.request("BREW", f"{PUBLIC}/{SECRET}")

    assert {span.name for span in collector.spans} == {"GET", "HTTP"}
    assert collector.one("HTTP").attributes["http.request.method"] == "_OTHER"


async def test_an_unrecorded_request_has_ids_and_no_spans(
    trace: Trace, collector: Collector, capsys: pytest.CaptureFixture[str]
) -> None:
    async with trace(THINGS, ENVIRONMENT="local", OTEL_TRACES_SAMPLER_ARG="1") as (client, _):
        answer = await client.get(f"{PUBLIC}/things/1", headers={"traceparent": UNSAMPLED})

    assert answer.json()["outgoing"].startswith(f"00-{TRACE_ID}-")
    assert answer.json()["outgoing"].endswith("-00")
    assert TRACE_ID in capsys.readouterr().out
    assert collector.spans == []


async def test_the_line_of_a_request_has_the_ids_of_its_span(
    trace: Trace, collector: Collector, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PUBLIC_URL", "https://api.example.com")
    async with trace(THINGS, ENVIRONMENT="staging") as (client, _):
        await client.get(f"{PUBLIC}/ask")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [line for line in lines if line["event"] == "request"]
    span = collector.one(f"GET {PUBLIC}/ask")
    assert (line["trace_id"], line["span_id"]) == (span.trace_id, span.span_id)


async def test_without_an_endpoint_nothing_listens(trace: Trace) -> None:
    async with trace(THINGS, OTEL_EXPORTER_OTLP_ENDPOINT="") as (client, runtime):
        assert (await client.get(f"{PUBLIC}/things/1")).json() == {"outgoing": None}
        assert runtime.telemetry.listeners == ()
