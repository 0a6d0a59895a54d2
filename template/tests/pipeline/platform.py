"""A platform that runs one release: commands write its name to a file, and a server answers as that release."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.fakes.server import Received, Reply

DEPLOY = f'{sys.executable} -c "import sys, pathlib; pathlib.Path(sys.argv[1]).write_text(sys.argv[2])"'
BROKEN = "broken"
"""A release of this name never becomes ready."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Platform:
    """The platform's state."""

    state: Path

    @property
    def deploy(self) -> str:
        """The command that runs the release of $IMAGE: its tag."""
        return f"{DEPLOY} {self.state} $RELEASE"

    @property
    def serves(self) -> str:
        """The release that runs."""
        return self.state.read_text(encoding="utf-8") if self.state.exists() else ""

    def answer(self, request: Received) -> Reply:
        """Answer as the application does."""
        if not self.serves:
            return _reply(502)
        if request.path.endswith("/health"):
            return _reply(200, {"status": "ok", "release": self.serves})
        if request.path.endswith("/health/ready"):
            ready = self.serves != BROKEN
            return _reply(200, {"status": "ok", "degraded": []}) if ready else _reply(503, _error("NOT_READY"))
        if "/app/" in request.path:
            return _reply(401, _error("UNAUTHENTICATED"))
        return _reply(404, _error("NOT_FOUND"))


def _error(code: str) -> dict[str, object]:
    return {"error": {"code": code}}


def _reply(status: int, body: object = None) -> Reply:
    return Reply(status=status, body=json.dumps(body).encode(), headers={"Content-Type": "application/json"})
