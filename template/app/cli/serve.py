"""`app serve`: the server of staging and production."""

import click

GRACE_SECONDS = 30


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on; 0.0.0.0 for all.")
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, envvar="PORT", help="Also from PORT."
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="How many processes.")
def serve(*, host: str, port: int, workers: int) -> None:
    """Serve without reload, as in production. Run `app db upgrade` before."""
    import uvicorn

    from app.kit.user_error import UserError
    from app.main import create_app

    # Made here in any case: unusable settings are told before any process is started.
    application = create_app()
    if application.state.runtime.settings.DATABASE_URL is None:
        raise UserError("DATABASE_URL is not set. Set it, or use `app dev`, which brings a database.")
    uvicorn.run(
        application if workers == 1 else "app.main:create_app",
        factory=workers > 1,
        host=host,
        port=port,
        workers=workers,
        # The application writes its own log, with neither addresses nor query strings.
        access_log=False,
        log_config=None,
        # It counts the proxies in front of it (TRUSTED_PROXY_COUNT); nobody else may rewrite the client's address.
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
