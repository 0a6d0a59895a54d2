"""Prints a bearer token that the rendered application accepts."""

import sys

from app.auth.local import mint
from app.core.config.settings import Settings

if __name__ == "__main__":
    sys.stdout.write(mint(Settings(), email="benchmark@example.com"))
