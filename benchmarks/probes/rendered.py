"""The rendered application on a PostgreSQL of its own, and with one more module: `rendered.py PORT [redis]`.

With `redis` it also has a Redis of its own; else its limits are in memory. The module's only route answers what the
bare one answers, behind all that every public route is behind. The free plan's limits are out of reach: a measurement
makes more requests than a user may, and is to measure how they are counted.
"""

import importlib
import os
import re
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import uvicorn
from app.core.config.settings import Environment
from app.core.manifest import Module
from app.core.observability.logging import configure_logging
from app.dev.servers.postgres import private_postgres
from app.main import create_app
from app.migrate.migrations import upgrade
from app.modules import MODULES
from fastapi import APIRouter

router = APIRouter()


@router.get("/trivial")
async def read() -> dict[str, str]:
    """Answer the least."""
    return {"status": "ok"}


def serve(port: int) -> None:
    """Serve until told to stop."""
    app = create_app((*MODULES, Module(name="benchmark", public_router=router)))
    # Logs as they are when deployed; tokens as they are in local.
    configure_logging(app.state.runtime.settings.model_copy(update={"ENVIRONMENT": Environment.PRODUCTION}))
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, log_config=None, proxy_headers=False)


def raise_limits(folder: Path) -> None:
    """Have the plans, if the project has any, read from a copy whose numbers are all large."""
    try:
        plans = importlib.import_module("app.plans.catalog")
    except ModuleNotFoundError:
        return
    copy = folder / "plans.toml"
    text = plans.FILE.read_text(encoding="utf-8")
    raised = re.sub(r"^limits = .*$", lambda line: re.sub(r"= [\d_]+", f"= {10**9}", line[0]), text, flags=re.MULTILINE)
    copy.write_text(raised, encoding="utf-8")
    load = plans.PlanCatalog.load
    plans.PlanCatalog.load = lambda **options: load(copy, **options)


if __name__ == "__main__":
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        raise_limits(folder)
        server = stack.enter_context(private_postgres(folder / "postgres", durable=False))
        os.environ["DATABASE_URL"] = server.url()
        if sys.argv[2:] == ["redis"]:
            from app.dev.servers.redis_server import private_server

            os.environ["REDIS_URL"] = stack.enter_context(private_server(folder / "redis"))
        upgrade(server.url())
        serve(int(sys.argv[1]))
