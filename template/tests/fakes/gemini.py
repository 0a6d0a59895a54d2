"""A fake of Google's Gemini API (https://ai.google.dev/api/generate-content)."""

import json
import re
from collections.abc import Mapping, Sequence

from tests.fakes.llm import Asked, Case, Fails, Json, Says

PATH = re.compile(r"/v1/models/([^/:]+):(generateContent|streamGenerateContent\?alt=sse)")
ROLES = {"user": "user", "model": "assistant"}
FINISHES = {"stop": "STOP", "length": "MAX_TOKENS", "refused": "SAFETY"}
BAD_KEY = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}
ERRORS = {
    "overloaded": (503, "UNAVAILABLE"),
    "rate_limited": (429, "RESOURCE_EXHAUSTED"),
    "spent": (403, "PERMISSION_DENIED"),
    "key": (400, "INVALID_ARGUMENT"),
    "invalid": (400, "INVALID_ARGUMENT"),
    "no_model": (404, "NOT_FOUND"),
}


class GeminiDialect:
    """See `Dialect`."""

    def understand(self, method: str, path: str, headers: Mapping[str, str], body: Json) -> Asked:
        """See `Dialect.understand`."""
        found = PATH.fullmatch(path)
        assert method == "POST"
        assert found is not None
        assert headers["content-type"] == "application/json"
        assert body.get("tools", []) in ([], [{"googleSearch": {}}])
        system = body.get("systemInstruction")
        return Asked(
            model=found[1],
            system=system and system["parts"][0]["text"],
            turns=[(ROLES[each["role"]], each["parts"][0]["text"]) for each in body["contents"]],
            max_tokens=body["generationConfig"]["maxOutputTokens"],
            search=bool(body.get("tools")),
            stream=found[2] != "generateContent",
            key=headers.get("x-goog-api-key"),
        )

    def whole(self, asked: Asked, says: Says) -> Json:
        """See `Dialect.whole`."""
        parts: list[Json] = [{"text": "Well.", "thought": True}, {"text": says.text}]
        return self._response(asked, says, parts, finish=FINISHES[says.finish])

    def events(self, asked: Asked, says: Says) -> Sequence[str]:
        """See `Dialect.events`."""
        return [
            _event(self._response(asked, says, [{"text": "Well.", "thought": True}])),
            *(_event(self._response(asked, says, [{"text": text}])) for text in says.texts),
            _event(self._response(asked, says, [{"text": ""}], finish=FINISHES[says.finish])),
        ]

    def broken(self) -> str:
        """See `Dialect.broken`."""
        return _event({"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}})

    def failure(self, fails: Fails) -> tuple[int, Json]:
        """See `Dialect.failure`."""
        status, word = ERRORS[fails.kind]
        details = [BAD_KEY] if fails.kind == "key" else []
        error = {"code": status, "message": "You asked: secret words", "status": word, "details": details}
        return status, {"error": error}

    @staticmethod
    def _response(asked: Asked, says: Says, parts: list[Json], finish: str | None = None) -> Json:
        candidate: Json = {"content": {"parts": parts, "role": "model"}, "index": 0}
        # What a search has found counts as read, apart from what was sent.
        found = 4 if asked.search else 0
        usage: Json = {
            "promptTokenCount": says.read - found,
            "cachedContentTokenCount": says.cached,
            "toolUsePromptTokenCount": found,
            "candidatesTokenCount": 1,
            "thoughtsTokenCount": says.thought,
            "totalTokenCount": says.read + says.thought + 1,
        }
        if finish is not None:
            candidate["finishReason"] = finish
            usage["candidatesTokenCount"] = says.written
            usage["totalTokenCount"] = says.read + says.thought + says.written
        return {
            "candidates": [candidate],
            "usageMetadata": usage,
            "modelVersion": asked.model,
            "responseId": "x",
        }


def _event(data: Json) -> str:
    return f"data: {json.dumps(data, ensure_ascii=False)}\r\n\r\n"


CASE = Case(name="gemini", dialect=GeminiDialect(), key="GOOGLE_API_KEY", url="GEMINI_BASE_URL")
