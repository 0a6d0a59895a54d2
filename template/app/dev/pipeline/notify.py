"""Messages about releases, to a chat's incoming webhook."""

from typing import Final

import click
import httpx

TIMEOUT: Final = httpx.Timeout(10.0)
MAX_LENGTH: Final = 2000


def notify(url: str | None, text: str) -> None:
    """Post a message as `{"text": …}`, the format of Slack, Mattermost and Google Chat.

    A message that cannot be delivered is a warning: it does not change the outcome of a release.

    Args:
        url: the webhook's address, a secret; without one nothing is sent.
        text: the message.
    """
    if not url:
        return
    try:
        httpx.post(url, json={"text": text[:MAX_LENGTH]}, timeout=TIMEOUT).raise_for_status()
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        # The error's message contains the address.
        click.echo(f"Warning: the notification was not delivered ({type(error).__name__}).", err=True)
