"""Options that several commands share."""

from typing import Annotated

import typer

TEMPLATE_VARIABLE = "OMNISTACK_TEMPLATE"

TemplateOption = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="PATH_OR_URL",
        envvar=TEMPLATE_VARIABLE,
        help="The template: a folder or a git URL. Default: where this program was installed from.",
    ),
]
