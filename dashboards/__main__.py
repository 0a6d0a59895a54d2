"""Write the rendered project's dashboards: `uv run python -m dashboards`."""

from pathlib import Path
from typing import Final

from dashboards.pages import DASHBOARDS

FOLDER: Final = Path(__file__).resolve().parents[1] / "template" / "monitoring" / "grafana" / "dashboards"


def main() -> None:
    """Write one JSON file per dashboard."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, dashboard in DASHBOARDS.items():
        (FOLDER / f"{name}.json").write_text(dashboard.to_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
