"""The process of the fake that `app dev` starts: `python -m app.dev.servers.google_play.process FOLDER WEBHOOK_URL`.

It keeps its subscriptions in the folder. Its keys are new with each start.
"""

import sys
from pathlib import Path

from app.dev.servers.fake_store import serve
from app.dev.servers.google_play.server import GooglePlayServer
from app.dev.servers.google_play.subscriptions import Subscriptions

if __name__ == "__main__":
    serve(GooglePlayServer(webhook=sys.argv[2]), Path(sys.argv[1]), Subscriptions)
