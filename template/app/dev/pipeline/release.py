"""`python -m app.dev.pipeline.release TARGET`: deploy an image, test it, and roll back if the test fails."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from app.dev.pipeline.notify import notify
from app.dev.pipeline.smoke import WAIT, SmokeTest
from app.dev.pipeline.targets import Commands, read_targets, run_commands
from app.kit.user_error import UserError

NOTIFY: Final = "NOTIFY_WEBHOOK_URL"


@dataclass(frozen=True, kw_only=True, slots=True)
class Release:
    """The release of one image to one platform.

    Attributes:
        target: the platform's name in `release.toml`.
        commands: its commands.
        repository: the image's name without its tag; the tag is the release.
        release: the name of the release.
        environment: staging or production.
        smoke: the test of the deployed application.
        wait: seconds until a release has to answer.
    """

    target: str
    commands: Commands
    repository: str
    release: str
    environment: str
    smoke: SmokeTest
    wait: float = WAIT

    def run(self, variables: Mapping[str, str]) -> None:
        """Deploy and test; roll back if either fails.

        Raises:
            UserError: the release failed; the message says why, and which release serves now.
        """
        self.commands.check_variables(variables)
        run_commands(self.commands.setup, variables)
        earlier = self.smoke.current_release()
        click.echo(f"Releasing {self.release} to {self.environment} on {self.target}; before: {earlier or 'none'}.")
        try:
            run_commands(self.commands.deploy, self.environment_of(variables, self.release))
            self.smoke.run(self.release, wait=self.wait)
        except UserError as error:
            raise UserError(f"{error}\n{self._roll_back(variables, earlier)}") from error

    def _roll_back(self, variables: Mapping[str, str], earlier: str | None) -> str:
        """Return to the earlier image. The database's schema stays: a migration fits both releases."""
        if earlier is None or earlier == self.release:
            return "There is no earlier release to return to: repair this one."
        click.echo(f"Rolling back to {earlier}.", err=True)
        try:
            run_commands(self.commands.rollback, self.environment_of(variables, earlier))
            self.smoke.run(earlier, wait=self.wait)
        except UserError as error:
            return f"THE ROLLBACK FAILED TOO: {error} Which release serves is unknown."
        return f"Rolled back: {earlier} serves."

    def environment_of(self, variables: Mapping[str, str], release: str) -> dict[str, str]:
        """Return the variables of the commands that deploy a release."""
        return {
            **variables,
            "IMAGE": f"{self.repository}:{release}",
            "RELEASE": release,
            "ENVIRONMENT": self.environment,
            "URL": self.smoke.url,
        }


@click.command()
@click.argument("target")
@click.option("--environment", required=True, type=click.Choice(["staging", "production"]))
@click.option("--url", required=True, help="The environment's public base URL.")
@click.option("--image", "repository", required=True, help="The image's name, without its tag.")
@click.option("--release", required=True, help="The release: the image's tag.")
@click.option("--wait", default=WAIT, show_default=True, help="Seconds until the release has to answer.")
def main(*, target: str, environment: str, url: str, repository: str, release: str, wait: float) -> None:
    """Release an image to TARGET, a section of release.toml, and run the `after` commands of all sections."""
    variables = dict(os.environ)
    subject = f"{repository.rpartition('/')[2]} {release[:12]} on {target}, {environment}"
    try:
        one = Release(
            target=target,
            commands=_commands(target, url),
            repository=repository,
            release=release,
            environment=environment,
            smoke=SmokeTest(url),
            wait=wait,
        )
        one.run(variables)
        _run_after(one, variables)
    except UserError as error:
        notify(variables.get(NOTIFY), f"Release failed: {subject}. {error}")
        raise click.ClickException(str(error)) from error
    notify(variables.get(NOTIFY), f"Released: {subject}.")
    click.echo(f"Released: {subject}.")


def _commands(target: str, url: str) -> Commands:
    commands = read_targets(Path.cwd()).get(target)
    if commands is None:
        raise UserError(f"release.toml has no section {target}.")
    if not url:
        raise UserError(f"{target.upper()}_URL is not set. docs/ci.md says where to set secrets and variables.")
    return commands


def _run_after(one: Release, variables: Mapping[str, str]) -> None:
    """Run what follows a release. The new release serves already: a failure is a warning."""
    for name, commands in read_targets(Path.cwd()).items():
        if not commands.after:
            continue
        try:
            commands.check_variables(variables)
            run_commands(commands.after, one.environment_of(variables, one.release))
        except UserError as error:
            click.echo(f"Warning: {name}: {error}", err=True)


if __name__ == "__main__":
    main()
