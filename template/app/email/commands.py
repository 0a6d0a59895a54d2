"""The module's commands of `app`."""

from pathlib import Path
from typing import cast

import click
from jinja2 import TemplateError

from app.core.commands import CommandLine
from app.core.config.settings import Settings, load_settings
from app.email.rendering import Templates, UnknownTemplateError, template_folders
from app.email.template_files import InvalidTemplateError


@click.group()
def email() -> None:
    """Inspect the emails that the application sends."""


@email.command("preview")
@click.argument("name")
@click.option(
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".local/email"),
    show_default=True,
    help="The folder to write to.",
)
@click.pass_context
def preview(ctx: click.Context, name: str, output: Path) -> None:
    """Write a template as HTML and plain text, with the sample data of its NAME.json."""
    settings = cast("Settings", load_settings([Settings])[Settings])
    command_line = ctx.find_object(CommandLine)
    folders = template_folders(module.name for module in (command_line.modules if command_line else ()))
    try:
        templates = Templates(settings.PROJECT_NAME, base_url=settings.PUBLIC_URL, folders=folders)
        sample = templates.sample(name)
        rendered = templates.render(name, sample.data, subject=sample.subject)
    except UnknownTemplateError as error:
        raise click.BadParameter(str(error), param_hint="NAME") from error
    except (InvalidTemplateError, TemplateError, ValueError) as error:
        raise click.ClickException(f"{name}: {error}") from error
    output.mkdir(parents=True, exist_ok=True)
    for kind, content in (("html", rendered.html), ("txt", rendered.text)):
        path = output / f"{name}.{kind}"
        path.write_text(content, encoding="utf-8")
        click.echo(path)
