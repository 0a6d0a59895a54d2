"""The rendered application on a PostgreSQL of its own, and with one more module: `rendered.py PORT`.

Its only route answers what the bare one answers, behind all that every public route is behind.
"""

import os
import sys
import tempfile
from pathlib import Path

import uvicorn
from app.cli.migrations import upgrade
from app.core.logging import configure_logging
from app.core.module import Module
from app.core.settings import Environment
from app.dev.private_postgres import private_postgres
from app.main import create_app
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


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, private_postgres(Path(folder) / "postgres", durable=False) as server:
        os.environ["DATABASE_URL"] = server.url()
        upgrade(server.url())
        serve(int(sys.argv[1]))
