"""`app token`: somebody to be, on one's own machine."""

import click


@click.command()
@click.option("--email", required=True, help="Who it is for; the same address is the same user.")
@click.option("--name", help="What that user is called.")
def token(*, email: str, name: str | None) -> None:
    """Print a bearer token, for trying things.

    The application accepts it in ENVIRONMENT=local only.
    """
    from app.auth.local import NotLocalError, mint
    from app.core.config.settings import core_settings
    from app.kit.user_error import UserError

    try:
        click.echo(mint(core_settings(), email=email, name=name))
    except NotLocalError as error:
        raise UserError(str(error)) from None
