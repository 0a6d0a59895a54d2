"""`app serve`: the server of staging and production."""

import os

import click

GRACE_SECONDS = 30
WORKER_SECONDS = 30
"""The longest silence of a worker process that does not count as its death."""
LOCAL_HOSTS = {"0.0.0.0": "127.0.0.1", "::": "127.0.0.1", "": "127.0.0.1", "::1": "[::1]"}  # noqa: S104 - only compared
"""Hosts for links to a server that listens on these addresses."""


@click.command()
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on. 0.0.0.0: every IPv4 address; :: every IPv6 and IPv4 address.",
)
@click.option(
    "--port", type=click.IntRange(1, 65535), default=8000, show_default=True, envvar="PORT", help="Also read from PORT."
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Number of processes.")
def serve(*, host: str, port: int, workers: int) -> None:
    """Serve without reload, as in production. Run `app db upgrade` first."""
    from app.core.config.settings import core_settings
    from app.core.http.server.limits import ConnectionLimits
    from app.core.http.server.server import bind, run
    from app.kit.user_error import UserError
    from app.main import create_app

    settings = core_settings()
    if settings.is_local and "PUBLIC_URL" not in settings.model_fields_set:
        # Links have to lead to this server. Every worker process inherits the variable.
        os.environ["PUBLIC_URL"] = f"http://{LOCAL_HOSTS.get(host, host)}:{port}"
    # Created even with several workers: unusable settings are reported before any process starts.
    application = create_app()
    settings = application.state.runtime.settings
    if settings.DATABASE_URL is None:
        raise UserError("DATABASE_URL is not set. Set it, or use `app dev`, which brings a database.")
    run(
        application if workers == 1 else "app.main:create_app",
        listener=bind(host, port),
        limits=ConnectionLimits.of(settings),
        workers=workers,
        # The application writes its own log, without addresses and query strings.
        log_config=None,
        # The application counts the proxies in front of it itself (TRUSTED_PROXY_COUNT).
        proxy_headers=False,
        server_header=False,
        lifespan="on",
        timeout_graceful_shutdown=GRACE_SECONDS,
        # On a busy machine, importing the application takes longer than uvicorn's 5 seconds.
        timeout_worker_healthcheck=WORKER_SECONDS,
        ws_max_size=settings.MAX_BODY_SIZE,
    )
