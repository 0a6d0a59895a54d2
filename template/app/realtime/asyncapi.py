"""The protocol as an AsyncAPI 3 document."""

from types import UnionType
from typing import Any, Final, get_args

from pydantic.json_schema import models_json_schema

from app.core.config.settings import Settings
from app.realtime.channels import EVERYONE, USER, Channels
from app.realtime.protocol import ClientMessage, Message, ServerMessage

REF: Final = "#/components/{part}/{name}"


def document(settings: Settings, channels: Channels) -> dict[str, Any]:
    """Return the document (https://www.asyncapi.com/docs/reference/specification/v3.0.0)."""
    received, sent = _models(ClientMessage.__value__), _models(ServerMessage.__value__)
    models = list(dict.fromkeys([*received, *sent]))
    _, schemas = models_json_schema(
        [(model, "validation") for model in models], ref_template=REF.format(part="schemas", name="{model}")
    )
    scheme, _, host = settings.PUBLIC_URL.partition("://")
    return {
        "asyncapi": "3.0.0",
        "info": {"title": f"{settings.PROJECT_NAME}: realtime events", "version": "1.0.0"},
        "defaultContentType": "application/json",
        "servers": {
            "api": {
                "host": host,
                "protocol": "wss" if scheme == "https" else "ws",
                "security": [{"$ref": REF.format(part="securitySchemes", name="token")}],
            }
        },
        "channels": {
            "connection": {
                "address": f"{settings.API_V1_STR}/app/ws",
                "description": _subscribable(channels),
                "messages": {model.__name__: {"$ref": _message(model)} for model in models},
            }
        },
        "operations": {
            "receive": _operation("receive", "Messages of the client.", received),
            "send": _operation("send", "Messages of the server.", sent),
        },
        "components": {
            "messages": {model.__name__: _described(model) for model in models},
            "schemas": schemas["$defs"],
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}},
        },
    }


def _models(union: UnionType) -> list[type[Message]]:
    return list(get_args(union))


def _message(model: type[Message]) -> str:
    return REF.format(part="messages", name=model.__name__)


def _described(model: type[Message]) -> dict[str, Any]:
    return {
        "name": model.model_json_schema()["properties"]["type"]["const"],
        "summary": (model.__doc__ or "").partition("\n")[0],
        "payload": {"$ref": REF.format(part="schemas", name=model.__name__)},
    }


def _operation(action: str, summary: str, models: list[type[Message]]) -> dict[str, Any]:
    return {
        "action": action,
        "summary": summary,
        "channel": {"$ref": "#/channels/connection"},
        "messages": [{"$ref": f"#/channels/connection/messages/{model.__name__}"} for model in models],
    }


def _subscribable(channels: Channels) -> str:
    """Describe the channels that clients can subscribe to."""
    lines = [
        f"- `{USER}`: events of the current user",
        f"- `{EVERYONE}`: events for all users",
        *(f"- `{each.pattern}`{', with presence' if each.presence else ''}" for each in channels.declared),
    ]
    return "\n".join(["Channels to subscribe to:", *lines])
