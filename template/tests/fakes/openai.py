"""A fake of OpenAI's Chat Completions and Responses APIs (https://developers.openai.com/api)."""

import json
from collections.abc import Mapping, Sequence

from tests.fakes.llm import Asked, Case, Fails, Json, Says

FINISHES = {"stop": "stop", "length": "length", "refused": "content_filter"}
LIMITS = ("max_tokens", "max_completion_tokens", "max_output_tokens")
REASONS = {"length": "max_output_tokens", "refused": "content_filter"}
ERRORS = {
    "overloaded": (503, "server_error", "service_unavailable"),
    "rate_limited": (429, "requests", "rate_limit_exceeded"),
    "spent": (429, "insufficient_quota", "insufficient_quota"),
    "key": (401, "invalid_request_error", "invalid_api_key"),
    "invalid": (400, "invalid_request_error", "context_length_exceeded"),
    "no_model": (404, "invalid_request_error", "model_not_found"),
}


class OpenAIDialect:
    """See `Dialect`."""

    def understand(self, method: str, path: str, headers: Mapping[str, str], body: Json) -> Asked:
        """See `Dialect.understand`."""
        assert method == "POST"
        assert headers["content-type"] == "application/json"
        search = path == "/v1/responses"
        assert search or path == "/v1/chat/completions"
        messages = body["input"] if search else body["messages"]
        system = [each["content"] for each in messages if each["role"] == "system"]
        stream = body.get("stream", False)
        if search:
            assert (body["tools"], body["store"]) == ([{"type": "web_search"}], False)
        else:
            assert not stream or body["stream_options"] == {"include_usage": True}
        return Asked(
            model=body["model"],
            system="\n\n".join(system) or None,
            turns=[(each["role"], each["content"]) for each in messages if each["role"] != "system"],
            max_tokens=next(body[name] for name in LIMITS if name in body),
            search=search,
            stream=stream,
            key=headers.get("authorization", "").removeprefix("Bearer ") or None,
        )

    def whole(self, asked: Asked, says: Says) -> Json:
        """See `Dialect.whole`."""
        if asked.search:
            return self._response(asked, says)
        message: Json = {"role": "assistant", "content": says.text, "refusal": None, "annotations": []}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISHES[says.finish]}
        return {**self._base(asked, "chat.completion"), "choices": [choice], "usage": self._usage(says)}

    def events(self, asked: Asked, says: Says) -> Sequence[str]:
        """See `Dialect.events`."""
        if asked.search:
            return self._response_events(asked, says)
        deltas: list[tuple[Json, str | None]] = [({"role": "assistant", "content": "", "refusal": None}, None)]
        deltas += [({"content": text}, None) for text in says.texts]
        deltas += [({}, FINISHES[says.finish])]
        base = self._base(asked, "chat.completion.chunk")
        chunks = [
            {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}], "usage": None}
            for delta, finish in deltas
        ]
        return [_event(chunk) for chunk in (*chunks, {**base, "choices": [], "usage": self._usage(says)})] + [
            "data: [DONE]\n\n"
        ]

    def broken(self) -> str:
        """See `Dialect.broken`."""
        return _event({"error": {"message": "The server had an error", "type": "server_error", "code": None}})

    def failure(self, fails: Fails) -> tuple[int, Json]:
        """See `Dialect.failure`."""
        status, type_, code = ERRORS[fails.kind]
        return status, {"error": {"message": "You asked: secret words", "type": type_, "code": code, "param": None}}

    def _response_events(self, asked: Asked, says: Says) -> Sequence[str]:
        whole = self._response(asked, says)
        begun = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
        place = {"item_id": "msg_1", "output_index": 1, "content_index": 0}
        return [
            _named("response.created", response=begun),
            *(_named("response.output_text.delta", delta=text, **place) for text in says.texts),
            _named("response.output_text.done", text=says.text, **place),
            _named(f"response.{whole['status']}", response=whole),
        ]

    @staticmethod
    def _response(asked: Asked, says: Says) -> Json:
        reason = REASONS.get(says.finish)
        written = says.written + says.thought
        text = {"type": "output_text", "text": says.text, "annotations": []}
        return {
            "id": "resp_1",
            "object": "response",
            "created_at": 1_800_000_000,
            "model": asked.model,
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "error": None,
            "parallel_tool_calls": True,
            "tool_choice": "auto",
            "tools": [{"type": "web_search"}],
            "output": [
                {
                    "type": "web_search_call",
                    "id": "ws_1",
                    "status": "completed",
                    "action": {"type": "search", "query": ""},
                },
                {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [text]},
            ],
            "usage": {
                "input_tokens": says.read,
                "input_tokens_details": {"cached_tokens": says.cached},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": says.thought},
                "total_tokens": says.read + written,
            },
        }

    @staticmethod
    def _base(asked: Asked, kind: str) -> Json:
        return {"id": "chatcmpl-1", "object": kind, "created": 1_800_000_000, "model": f"{asked.model}-2026-11-01"}

    @staticmethod
    def _usage(says: Says) -> Json:
        written = says.written + says.thought
        return {
            "prompt_tokens": says.read,
            "completion_tokens": written,
            "total_tokens": says.read + written,
            "prompt_tokens_details": {"cached_tokens": says.cached},
            "completion_tokens_details": {"reasoning_tokens": says.thought},
        }


def _named(type_: str, **data: object) -> str:
    return f"event: {type_}\n{_event({'type': type_, 'sequence_number': 1, **data})}"


def _event(data: Json) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n"


CASE = Case(name="openai", dialect=OpenAIDialect(), key="OPENAI_API_KEY", url="OPENAI_BASE_URL", path="/v1")
