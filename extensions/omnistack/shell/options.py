"""Options that several commands share."""

from typing import Annotated

import typer

from omnistack.template.source import ENV_VAR

TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="PATH_OR_URL",
        envvar=ENV_VAR,
        help="The template: a checkout or a git URL. Default: the checkout that this program lies in.",
    ),
]
