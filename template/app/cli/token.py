"""The command `app token`: print a bearer token for development."""

import click


@click.command()
@click.option("--email", required=True, help="The user's address. The same address is always the same user.")
@click.option("--name", help="The user's name.")
def token(*, email: str, name: str | None) -> None:
    """Print a bearer token for development.

    The application accepts it with ENVIRONMENT=local only.
    """
    from app.auth.local import NotLocalError, mint
    from app.core.config.settings import core_settings
    from app.kit.user_error import UserError

    try:
        click.echo(mint(core_settings(), email=email, name=name))
    except NotLocalError as error:
        raise UserError(str(error)) from None
