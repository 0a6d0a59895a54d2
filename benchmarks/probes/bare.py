"""What every ratio is a share of: one route, no middleware, no settings. `bare.py PORT`, with a project's Python."""

import sys

import uvicorn
from fastapi import FastAPI

app = FastAPI()


@app.get("/bare")
async def read() -> dict[str, str]:
    """Answer the least."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), access_log=False, log_config=None)
