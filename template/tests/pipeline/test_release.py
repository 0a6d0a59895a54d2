import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from app.dev.pipeline.release import main
from tests.fakes.server import FakeServer, Received, Reply, serving
from tests.pipeline.platform import BROKEN, Platform

OK = "true"
FAILS = "false"


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TOKEN", "secret")
    return Platform(state=tmp_path / "state")


def write(platform: Platform, **section: list[str]) -> None:
    content = {"deploy": [platform.deploy], "rollback": [platform.deploy], "variables": ["TOKEN"], **section}
    lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in content.items())
    Path("release.toml").write_text(f"[cloud]\n{lines}\n", encoding="utf-8")


def release(server: FakeServer, name: str, target: str = "cloud") -> Result:
    options = ["--environment", "staging", "--url", server.url, "--image", "registry/app", "--release", name]
    return CliRunner().invoke(main, [target, *options, "--wait", "0.2"])


def test_a_release_serves_and_is_announced(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    write(platform)
    with serving(platform.answer) as server, serving(lambda _: Reply()) as chat:
        monkeypatch.setenv("NOTIFY_WEBHOOK_URL", chat.url)
        done = release(server, "one")
        assert done.exit_code == 0, done.output
        assert platform.serves == "one"
        (message,) = chat.requests
        assert json.loads(message.body) == {"text": "Released: app one on cloud, staging."}


def test_a_release_that_fails_the_smoke_test_is_rolled_back(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(platform)
    with serving(platform.answer) as server, serving(lambda _: Reply()) as chat:
        monkeypatch.setenv("NOTIFY_WEBHOOK_URL", chat.url)
        assert release(server, "one").exit_code == 0
        done = release(server, BROKEN)
        assert done.exit_code == 1
        assert "Rolled back: one serves." in done.output
        assert platform.serves == "one"
        assert "Release failed: app broken on cloud" in json.loads(chat.requests[-1].body)["text"]


def test_a_failed_command_rolls_back(platform: Platform) -> None:
    write(platform)
    with serving(platform.answer) as server:
        assert release(server, "one").exit_code == 0
        write(platform, deploy=[platform.deploy, FAILS])
        done = release(server, "two")
    assert done.exit_code == 1
    assert "failed with exit code 1" in done.output
    assert platform.serves == "one"


def test_a_failed_rollback_is_said(platform: Platform) -> None:
    write(platform)
    with serving(platform.answer) as server:
        assert release(server, "one").exit_code == 0
        write(platform, rollback=[FAILS])
        done = release(server, BROKEN)
    assert done.exit_code == 1
    assert "THE ROLLBACK FAILED TOO" in done.output


def test_the_first_release_has_nothing_to_return_to(platform: Platform) -> None:
    write(platform, rollback=[FAILS])
    with serving(platform.answer) as server:
        done = release(server, BROKEN)
    assert done.exit_code == 1
    assert "no earlier release" in done.output


def test_a_missing_variable_is_named_before_anything_runs(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    write(platform)
    monkeypatch.delenv("TOKEN")
    with serving(platform.answer) as server:
        done = release(server, "one")
    assert done.exit_code == 1
    assert "Not set: TOKEN" in done.output
    assert platform.serves == ""


def test_values_of_variables_are_not_run(platform: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TOKEN", f"x; touch {tmp_path}/run `touch {tmp_path}/run` $HOME")
    write(platform, setup=[f"{OK} $TOKEN"])
    with serving(platform.answer) as server:
        assert release(server, "one").exit_code == 0
    assert not (tmp_path / "run").exists()


def test_a_variable_without_a_value_is_an_error(platform: Platform) -> None:
    write(platform, deploy=["true $NO_SUCH_VARIABLE"])
    with serving(platform.answer) as server:
        done = release(server, "one")
    assert done.exit_code == 1
    assert "'NO_SUCH_VARIABLE' has no value" in done.output


@pytest.mark.parametrize(("target", "url", "said"), [("cloudy", "http://x", "no section"), ("cloud", "", "CLOUD_URL")])
def test_a_missing_setup_is_named(platform: Platform, target: str, url: str, said: str) -> None:
    write(platform)
    options = ["--environment", "staging", "--url", url, "--image", "registry/app", "--release", "one"]
    done = CliRunner().invoke(main, [target, *options])
    assert done.exit_code == 1
    assert said in done.output


def test_commands_after_a_release_know_it_and_only_warn(platform: Platform, tmp_path: Path) -> None:
    write(platform)
    note = Platform(state=tmp_path / "note")
    with Path("release.toml").open("a", encoding="utf-8") as file:
        file.write(f"[notes]\nafter = [{json.dumps(note.deploy)}]\n[failing]\nafter = ['{FAILS}']\n")
        file.write("[unset]\nafter = ['true']\nvariables = ['NO_SUCH_VARIABLE']\n")
    with serving(platform.answer) as server:
        done = release(server, "one")
    assert done.exit_code == 0
    assert note.serves == "one"
    assert "Warning: failing" in done.output
    assert "Warning: unset: Not set: NO_SUCH_VARIABLE" in done.output


def test_a_notification_that_is_refused_does_not_show_its_address(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(platform)

    def refuse(_request: Received) -> Reply:
        return Reply(status=500)

    with serving(platform.answer) as server, serving(refuse) as chat:
        monkeypatch.setenv("NOTIFY_WEBHOOK_URL", f"{chat.url}/hooks/secret-part")
        done = release(server, "one")
    assert done.exit_code == 0
    assert "was not delivered" in done.output
    assert "secret-part" not in done.output


def test_two_dollar_signs_are_one(platform: Platform, tmp_path: Path) -> None:
    write(platform, setup=[f"bash -c 'printf %s \"$$TOKEN\" > {tmp_path}/key'"])
    with serving(platform.answer) as server:
        assert release(server, "one").exit_code == 0
    assert (tmp_path / "key").read_text(encoding="utf-8") == "secret"
