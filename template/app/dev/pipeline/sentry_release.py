"""`python -m app.dev.pipeline.sentry_release`: tell Sentry which release serves in which environment.

https://docs.sentry.io/api/releases/
"""

import os
from collections.abc import Mapping
from typing import Final

import click
import httpx

TIMEOUT: Final = httpx.Timeout(20.0)
SENTRY: Final = "https://sentry.io"


def record_release(variables: Mapping[str, str]) -> None:
    """Create the release and add a deploy to it.

    Args:
        variables: SENTRY_AUTH_TOKEN (scope `project:releases`), SENTRY_ORG, SENTRY_PROJECT, RELEASE, ENVIRONMENT, and
            SENTRY_URL for a server of your own.

    Raises:
        httpx.HTTPError: Sentry refused, or did not answer.
    """
    base = f"{variables.get('SENTRY_URL') or SENTRY}/api/0/organizations/{variables['SENTRY_ORG']}/releases/"
    headers = {"Authorization": f"Bearer {variables['SENTRY_AUTH_TOKEN']}"}
    release = variables["RELEASE"]
    with httpx.Client(headers=headers, timeout=TIMEOUT) as client:
        created = {"version": release, "projects": [variables["SENTRY_PROJECT"]]}
        client.post(base, json=created).raise_for_status()
        deploy = {"environment": variables["ENVIRONMENT"], "url": variables["URL"]}
        client.post(f"{base}{release}/deploys/", json=deploy).raise_for_status()


@click.command()
def main() -> None:
    """Record a release and its deploy in Sentry."""
    try:
        record_release(os.environ)
    except httpx.HTTPError as error:
        raise click.ClickException(f"Sentry did not record the release: {error}") from error
    click.echo("Recorded in Sentry.")


if __name__ == "__main__":
    main()
