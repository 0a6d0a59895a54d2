"""The process of the fake that `app dev` starts: `python -m app.dev.servers.app_store.process FOLDER WEBHOOK_URL`.

It keeps its subscriptions in the folder. Its certificates are new with each start.
"""

import sys
from pathlib import Path

from app.dev.servers.app_store.server import AppStoreServer
from app.dev.servers.app_store.subscriptions import Subscriptions
from app.dev.servers.fake_store import serve

if __name__ == "__main__":
    serve(AppStoreServer(webhook=sys.argv[2]), Path(sys.argv[1]), Subscriptions)
