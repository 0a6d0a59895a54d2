"""OpenAI with web search, by the Responses API (https://developers.openai.com/api/reference/responses)."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from http import HTTPStatus
from typing import Annotated, Final

from app.ai.port import Answer, Finish, Prompt, Usage
from app.ai.transport import IGNORED_IF_INVALID, Fault, Transport, Wire

PATH: Final = "responses"
DELTAS: Final = frozenset({"response.output_text.delta", "response.refusal.delta"})
ENDS: Final = frozenset({"response.completed", "response.incomplete"})
FINISHES: Final = {"max_output_tokens": Finish.LENGTH, "content_filter": Finish.REFUSED}


class _Content(Wire):
    type: str = ""
    text: str = ""
    refusal: str = ""


class _Item(Wire):
    type: str = ""
    content: Sequence[_Content] = ()


class _InputDetails(Wire):
    cached_tokens: int = 0


class _Usage(Wire):
    input_tokens: int
    output_tokens: int = 0
    input_tokens_details: _InputDetails = _InputDetails()

    def counted(self) -> Usage:
        cached = self.input_tokens_details.cached_tokens
        return Usage(input_tokens=self.input_tokens, output_tokens=self.output_tokens, cached_tokens=cached)


class _Reason(Wire):
    reason: str | None = None


class _Error(Wire):
    code: str | None = None


class _Response(Wire):
    status: str
    output: Sequence[_Item] = ()
    incomplete_details: _Reason | None = None
    usage: Annotated[_Usage | None, IGNORED_IF_INVALID] = None
    error: _Error | None = None

    def fault(self) -> Fault | None:
        return _fault(self.error.code) if self.error else None

    def answer(self) -> Answer:
        contents = [each for item in self.output if item.type == "message" for each in item.content]
        reason = self.incomplete_details.reason if self.incomplete_details else None
        refused = any(each.type == "refusal" for each in contents)
        return Answer(
            text="".join(each.text or each.refusal for each in contents),
            finish=Finish.REFUSED if refused else FINISHES.get(reason or "", Finish.STOP),
            usage=None if self.usage is None else self.usage.counted(),
        )


class _Event(Wire):
    type: str
    delta: str | None = None
    response: _Response | None = None
    code: str | None = None

    def fault(self) -> Fault | None:
        if self.type == "error":
            return _fault(self.code)
        return self.response.fault() if self.response else None


async def complete_search(transport: Transport, prompt: Prompt) -> Answer:
    """Return the complete answer."""
    return (await transport.post(PATH, _body(prompt), _Response)).answer()


async def stream_search(transport: Transport, prompt: Prompt) -> AsyncGenerator[str | Answer, None]:
    """Yield the answer in pieces, then the complete answer."""
    answer: Answer | None = None
    async with aclosing(transport.events(PATH, {**_body(prompt), "stream": True}, _Event)) as events:
        async for event in events:
            if event.type in DELTAS and event.delta:
                yield event.delta
            elif event.type in ENDS and event.response:
                answer = event.response.answer()
    if answer is None:
        raise transport.broken("the stream ended early")
    yield answer


def _body(prompt: Prompt) -> dict[str, object]:
    return {
        "model": prompt.model,
        "input": [{"role": each.role.value, "content": each.content} for each in prompt.messages],
        "max_output_tokens": prompt.max_tokens,
        "tools": [{"type": "web_search"}],
        # OpenAI must not store the conversation.
        "store": False,
    }


def _fault(code: str | None) -> Fault:
    status = HTTPStatus.TOO_MANY_REQUESTS if code == "rate_limit_exceeded" else HTTPStatus.SERVICE_UNAVAILABLE
    return Fault(status=status, code=code)
