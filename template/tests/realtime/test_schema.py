"""The AsyncAPI document describes the protocol."""

import json
from typing import Any, cast

from click.testing import CliRunner
from pydantic import TypeAdapter

from app.cli.main import cli
from app.core.ports.streams import Position, StreamMessage
from app.realtime import protocol
from tests.core.http.test_request_schemas import Schema, violations


def references(part: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Every reference in a part of the document."""
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return own + [each for value in part.values() for each in references(value)]
    return [each for value in part for each in references(value)] if isinstance(part, list) else []


def resolve(document: dict[str, Any], reference: str) -> Any:  # noqa: ANN401 - JSON
    """The part that a reference names; `KeyError` if there is none."""
    part: Any = document
    for name in reference.removeprefix("#/").split("/"):
        part = part[name]
    return part


def test_every_message_is_described_and_every_reference_leads_somewhere() -> None:
    output = CliRunner().invoke(cli, ["realtime", "schema"])
    document = json.loads(output.output)

    for reference in references(document):
        resolve(document, reference)
    assert document["asyncapi"] == "3.0.0"
    assert document["channels"]["connection"]["address"] == "/api/v1/app/ws"
    assert "`everyone`" in document["channels"]["connection"]["description"]
    kinds = {
        action: {resolve(document, resolve(document, each["$ref"])["$ref"])["name"] for each in operation["messages"]}
        for action, operation in document["operations"].items()
    }
    assert kinds["receive"] == {"subscribe", "unsubscribe", "authenticate", "ping", "pong"}
    assert kinds["send"] >= {"welcome", "subscribed", "event", "gap", "presence", "token_expiring", "reconnect"}


def test_events_are_written_as_described() -> None:
    position = Position(7, "1234")
    message = StreamMessage(position, position, '{"type":"greeting"}')

    event = TypeAdapter(protocol.Event).validate_json(protocol.event_text('"room:\\"1"', message), strict=True)

    assert event == protocol.Event(channel='room:"1', offset=7, epoch="1234", event={"type": "greeting"})


def test_texts_of_clients_have_limits_that_are_checked_first() -> None:
    schema = cast("Schema", protocol.CLIENT_MESSAGE.core_schema)
    assert list(violations(schema, "message")) == []
