"""What the module adds to the command `app`."""

from pathlib import Path
from typing import cast

import click

from app.core.config.settings import Settings, load_settings
from app.email.rendering import Templates, UnknownTemplateError


@click.group()
def email() -> None:
    """Look at the mails that the application sends."""


@email.command("preview")
@click.argument("name")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".local/email"),
    show_default=True,
    help="The folder to write to.",
)
def preview(name: str, output: Path) -> None:
    """Write a template with the data of its NAME.json, as HTML for a browser and as plain text."""
    settings = cast("Settings", load_settings([Settings])[Settings])
    templates = Templates(settings.PROJECT_NAME)
    try:
        sample = templates.sample(name)
        rendered = templates.render(name, sample.data, subject=sample.subject)
    except UnknownTemplateError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    output.mkdir(parents=True, exist_ok=True)
    for kind, content in (("html", rendered.html), ("txt", rendered.text)):
        path = output / f"{name}.{kind}"
        path.write_text(content, encoding="utf-8")
        click.echo(path)
