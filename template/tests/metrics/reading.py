"""Reading of the shared directory, without a server."""

from pathlib import Path

from app.metrics.directory import MetricsDirectory
from app.metrics.exposition import render
from tests.metrics.scrapes import Scrape


def read(folder: Path) -> Scrape:
    """Return what a scrape contains, apart from the numbers from the database."""
    return Scrape(render(MetricsDirectory(folder), ()))
