"""`python -m app.dev.pipeline.smoke URL`: check a deployed application from outside."""

import os
import time
from typing import Any, Final

import click
import httpx

from app.kit.user_error import UserError

API: Final = "/api/v1"
WAIT: Final = 300.0
"""Seconds until the release has to answer."""
INTERVAL: Final = 2.0
"""Seconds between two attempts."""
IN_A_ROW: Final = 5
"""Number of answers of the new release after which no other instance is expected to answer."""
TIMEOUT: Final = httpx.Timeout(10.0)


class SmokeTest:
    """The checks of one deployed application.

    Attributes:
        url: its base URL.
        interval: seconds between two attempts.
    """

    def __init__(self, url: str, *, interval: float = INTERVAL) -> None:
        prefix = os.environ.get("API_V1_STR", API)
        self.url, self.interval = url.rstrip("/"), interval
        self._public, self._app = f"{prefix}/public", f"{prefix}/app"

    def current_release(self) -> str | None:
        """Return the release that answers, or `None` if nothing answers or the release has no name."""
        answer = self._get(f"{self._public}/health")
        if answer is None or answer.status_code != httpx.codes.OK:
            return None
        release = _object(answer).get("release")
        return str(release) if release else None

    def run(self, release: str | None = None, *, wait: float = WAIT) -> None:
        """Wait for the release, then check that it is ready, answers errors in their format and refuses strangers.

        Args:
            release: the release that has to answer; any, if it is `None`.
            wait: seconds.

        Raises:
            UserError: a check failed; the message says which one.
        """
        self._wait_for(release, wait)
        ready = self._expect(f"{self._public}/health/ready", 200)
        click.echo(f"ready: {_object(ready).get('status')} {_object(ready).get('degraded') or ''}".rstrip())
        for path, status in ((f"{self._public}/smoke-test-{os.getpid()}", 404), (f"{self._app}/users/me", 401)):
            answer = self._expect(path, status)
            if "code" not in _object(answer).get("error", {}):
                raise UserError(f"{path} answers {status} without the error format: is this the application?")
        click.echo("errors: 404 and 401 in the error format")

    def _wait_for(self, release: str | None, wait: float) -> None:
        deadline = time.monotonic() + wait
        streak, seen = 0, "no answer"
        while streak < IN_A_ROW:
            answer = self._get(f"{self._public}/health")
            if answer is not None:
                seen = f"status {answer.status_code}, release {_object(answer).get('release', 'without a name')}"
            current = answer is not None and answer.status_code == httpx.codes.OK
            matches = current and (release is None or self._is(answer, release))
            streak = streak + 1 if matches else 0
            if not matches:
                if time.monotonic() >= deadline:
                    expected = f"release {release}" if release else "the application"
                    raise UserError(f"{self.url} did not answer with {expected} within {wait:g} s; last: {seen}.")
                time.sleep(self.interval)
        click.echo(f"health: {seen}")

    @staticmethod
    def _is(answer: httpx.Response | None, release: str) -> bool:
        return answer is not None and _object(answer).get("release") == release

    def _get(self, path: str) -> httpx.Response | None:
        try:
            # A connection of its own: a load balancer may send it to another instance than the one before.
            return httpx.get(f"{self.url}{path}", timeout=TIMEOUT)
        except (httpx.HTTPError, httpx.InvalidURL):
            return None

    def _expect(self, path: str, status: int) -> httpx.Response:
        answer = self._get(path)
        if answer is None:
            raise UserError(f"{self.url}{path} does not answer.")
        if answer.status_code != status:
            raise UserError(f"{self.url}{path} answers {answer.status_code} instead of {status}: {answer.text[:500]}")
        return answer


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


@click.command()
@click.argument("url")
@click.option("--release", help="The release that has to answer, as in the setting RELEASE.")
@click.option("--wait", default=WAIT, show_default=True, help="Seconds until it has to answer.")
def main(url: str, release: str | None, wait: float) -> None:
    """Check that the application at URL runs, is ready and answers errors in their format."""
    try:
        SmokeTest(url).run(release, wait=wait)
    except UserError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
