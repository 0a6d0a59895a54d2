"""Users who ask a language model. Without a provider's key, a local server answers from the console provider."""

from load.scenario import Scenario, Session


def ask(session: Session) -> None:
    """Request an answer as a whole."""
    session.send("POST", "/app/ai/completions", json={"prompt": "Summarise the last meeting in one sentence."})


def stream(session: Session) -> None:
    """Request an answer as a stream, and read it to its end."""
    body = {"messages": [{"role": "user", "content": "Count to ten."}], "stream": True}
    session.send("POST", "/app/ai/chat", name="/app/ai/chat as a stream", json=body)


def read_status(session: Session) -> None:
    """List the models and the limits."""
    session.send("GET", "/app/ai/status")


scenario = Scenario(
    name="ai",
    steps={ask: 3, stream: 1, read_status: 2},
    pause=(1, 3),
    p95=2.0,
    settings={"RATE_LIMIT_AI": "off"},
)
