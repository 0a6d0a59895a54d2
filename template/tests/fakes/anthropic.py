"""A fake of Anthropic's Messages API (https://platform.claude.com/docs/en/api/messages)."""

import json
from collections.abc import Mapping, Sequence

from tests.fakes.llm import Asked, Case, Fails, Json, Says

FINISHES = {"stop": "end_turn", "length": "max_tokens", "refused": "refusal"}
ERRORS = {
    "overloaded": (529, "overloaded_error"),
    "rate_limited": (429, "rate_limit_error"),
    "spent": (402, "billing_error"),
    "key": (401, "authentication_error"),
    "invalid": (400, "invalid_request_error"),
    "no_model": (404, "not_found_error"),
}
PUT_INTO_CACHE = 3


class AnthropicDialect:
    """See `Dialect`."""

    def understand(self, method: str, path: str, headers: Mapping[str, str], body: Json) -> Asked:
        """See `Dialect.understand`."""
        assert (method, path) == ("POST", "/v1/messages")
        assert headers["content-type"] == "application/json"
        assert headers["anthropic-version"] == "2026-10-21"
        assert all(each["role"] in {"user", "assistant"} for each in body["messages"])
        tools = [tool["type"] for tool in body.get("tools", [])]
        assert tools in ([], ["web_search_20250305"])
        return Asked(
            model=body["model"],
            system=body.get("system"),
            turns=[(each["role"], each["content"]) for each in body["messages"]],
            max_tokens=body["max_tokens"],
            search=bool(tools),
            stream=body.get("stream", False),
            key=headers.get("x-api-key"),
        )

    def whole(self, asked: Asked, says: Says) -> Json:
        """See `Dialect.whole`."""
        thinking = {"type": "thinking", "thinking": "Well.", "signature": "x"}
        text = {"type": "text", "text": says.text, "citations": None}
        return {
            **self._message(asked),
            "content": [thinking, *self._found(asked), text],
            "stop_reason": FINISHES[says.finish],
            "usage": {**self._read(says), "output_tokens": says.written + says.thought},
        }

    def events(self, asked: Asked, says: Says) -> Sequence[str]:
        """See `Dialect.events`."""
        usage = {**self._read(says), "output_tokens": 1}
        start = {**self._message(asked), "content": [], "stop_reason": None, "usage": usage}
        thinking = {"type": "thinking", "thinking": "", "signature": ""}
        before = [
            _event("message_start", message=start),
            _event("content_block_start", index=0, content_block=thinking),
            _event("ping"),
            _event("content_block_delta", index=0, delta={"type": "thinking_delta", "thinking": "Well."}),
            _event("content_block_stop", index=0),
            _event("content_block_start", index=1, content_block={"type": "text", "text": ""}),
        ]
        ends = {"stop_reason": FINISHES[says.finish], "stop_sequence": None}
        told = {**(self._read(says) if asked.search else {}), "output_tokens": says.written + says.thought}
        return [
            "".join(before),
            *(
                _event("content_block_delta", index=1, delta={"type": "text_delta", "text": text})
                for text in says.texts
            ),
            _event("content_block_stop", index=1),
            _event("message_delta", delta=ends, usage=told),
            _event("message_stop"),
        ]

    def broken(self) -> str:
        """See `Dialect.broken`."""
        return _event("error", error={"type": "overloaded_error", "message": "Overloaded"})

    def failure(self, fails: Fails) -> tuple[int, Json]:
        """See `Dialect.failure`."""
        status, type_ = ERRORS[fails.kind]
        error = {"type": type_, "message": "You asked: secret words"}
        return status, {"type": "error", "error": error, "request_id": "req_1"}

    @staticmethod
    def _message(asked: Asked) -> Json:
        return {"id": "msg_1", "type": "message", "role": "assistant", "model": asked.model, "stop_sequence": None}

    @staticmethod
    def _found(asked: Asked) -> list[Json]:
        if not asked.search:
            return []
        used = {"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "hello"}}
        return [used, {"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": []}]

    @staticmethod
    def _read(says: Says) -> Json:
        return {
            "input_tokens": says.read - says.cached - PUT_INTO_CACHE,
            "cache_read_input_tokens": says.cached,
            "cache_creation_input_tokens": PUT_INTO_CACHE,
        }


def _event(type_: str, **data: object) -> str:
    return f"event: {type_}\ndata: {json.dumps({'type': type_, **data}, ensure_ascii=False)}\n\n"


CASE = Case(name="anthropic", dialect=AnthropicDialect(), key="ANTHROPIC_API_KEY", url="ANTHROPIC_BASE_URL")
