from pathlib import Path

import pytest

from app.dev.pipeline.smoke import SmokeTest
from app.kit.user_error import UserError
from tests.core.http.server.test_server import served
from tests.databases import Databases
from tests.fakes.server import Received, Reply, serving
from tests.pipeline.platform import BROKEN, Platform


def test_the_application_passes(databases: Databases, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with served(databases, tmp_path, RELEASE="abc123") as server:
        smoke = SmokeTest(f"http://127.0.0.1:{server.port}/", interval=0.05)
        smoke.run("abc123", wait=60)
        assert smoke.current_release() == "abc123"
    assert "release abc123" in capsys.readouterr().out


def test_an_earlier_release_that_still_answers_fails(tmp_path: Path) -> None:
    platform = Platform(state=tmp_path / "state")
    platform.state.write_text("one", encoding="utf-8")
    with serving(platform.answer) as server, pytest.raises(UserError, match=r"did not answer with release two .* one"):
        SmokeTest(server.url, interval=0.01).run("two", wait=0.05)


def test_a_roll_out_is_over_after_several_answers_of_the_new_release(tmp_path: Path) -> None:
    platform = Platform(state=tmp_path / "state")
    turn = iter(["one", "two"] * 5 + ["two"] * 20)

    def answer(request: Received) -> Reply:
        if request.path.endswith("/health"):
            platform.state.write_text(next(turn), encoding="utf-8")
        return platform.answer(request)

    with serving(answer) as server:
        SmokeTest(server.url, interval=0).run("two", wait=60)
        assert sum(request.path.endswith("/health") for request in server.requests) > 10


def test_a_release_that_is_not_ready_fails(tmp_path: Path) -> None:
    platform = Platform(state=tmp_path / "state")
    platform.state.write_text(BROKEN, encoding="utf-8")
    with serving(platform.answer) as server, pytest.raises(UserError, match="answers 503 instead of 200"):
        SmokeTest(server.url, interval=0).run(BROKEN, wait=1)


def test_another_application_fails() -> None:
    page = Reply(status=404, body=b"<html>not found</html>")
    health = Reply(body=b'{"status": "ok"}')
    with serving(lambda request: health if "health" in request.path else page) as server:
        with pytest.raises(UserError, match="without the error format"):
            SmokeTest(server.url, interval=0).run(wait=1)
        assert SmokeTest(server.url).current_release() is None


def test_no_answer_fails() -> None:
    with serving(lambda _: Reply()) as server:
        url = server.url
    assert SmokeTest(url).current_release() is None
    with pytest.raises(UserError, match="last: no answer"):
        SmokeTest(url, interval=0).run(wait=0)
