"""`app dev`: from nothing to a server that reloads."""

import sys

import click


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on.")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="The port to serve on.")
@click.option("--reload/--no-reload", default=True, show_default=True, help="Restart when the code changes.")
def dev(*, host: str, port: int, reload: bool) -> None:
    """Serve on this machine: with a database, its tables, and reload.

    Where DATABASE_URL is not set, a private PostgreSQL runs as long as this command does; its data stays in .local/.
    So do other servers that the application uses, where this machine has them.
    """
    from app.dev.run import run

    sys.exit(run(host, port, reload=reload, say=click.echo))
