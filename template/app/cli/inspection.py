"""The commands `app routes` and `app openapi`."""

import json
from pathlib import Path

import click


@click.command()
def routes() -> None:
    """List every route."""
    from fastapi.routing import iter_route_contexts

    from app.main import create_app

    rows = sorted(
        (context.path, method, str(getattr(context.endpoint, "__name__", "")))
        for context in iter_route_contexts(create_app().routes)
        for method in context.methods or ()
        if context.path and method != "HEAD"
    )
    width = max(len(path) for path, _, _ in rows)
    for path, method, name in rows:
        click.echo(f"{method:<7} {path:<{width}}  {name}")


@click.command()
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file to write. Default: stdout.")
def openapi(*, output: Path | None) -> None:
    """Print the OpenAPI schema, from which clients are generated."""
    from app.main import create_app

    schema = json.dumps(create_app().openapi(), indent=2, ensure_ascii=False)
    if output is None:
        click.echo(schema)
    else:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(f"{schema}\n", encoding="utf-8")
        click.echo(f"Wrote {click.format_filename(output)}.")
