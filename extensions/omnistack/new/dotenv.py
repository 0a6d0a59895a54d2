"""The project's `.env`: a copy of its example, with new secrets."""

import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path

from omnistack.template.catalog import Catalog

EXAMPLE = ".env.example"
SECRET_BYTES = 48


def generated_secrets(catalog: Catalog, chosen: Iterable[str]) -> list[str]:
    """Name the settings of the chosen pieces that are generated secrets."""
    settings = (setting for name in chosen for setting in catalog.piece(name).settings)
    return list(dict.fromkeys(setting.name for setting in settings if setting.generate))


def write_dotenv(project: Path, names: Iterable[str]) -> Path:
    """Write `.env`, readable by its owner only. An existing one is not changed."""
    file = project / ".env"
    if file.exists():
        return file
    example = project / EXAMPLE
    text = example.read_text(encoding="utf-8") if example.is_file() else ""
    for name in names:
        line = f"{name}={secrets.token_urlsafe(SECRET_BYTES)}"
        text, found = re.subn(rf"^[# ]*{re.escape(name)}=.*$", line, text, count=1, flags=re.MULTILINE)
        if not found:
            text += f"{line}\n" if not text or text.endswith("\n") else f"\n{line}\n"
    # Created with its final mode: a later chmod would leave it readable for a moment.
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as handle:
        handle.write(text)
    return file
