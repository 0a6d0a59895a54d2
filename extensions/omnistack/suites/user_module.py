"""A module of a user's own, added to every cell as a rendered project's `docs/own-module.md` teaches."""

import re
import shutil
from pathlib import Path

SOURCE = Path(__file__).with_name("user_module")
EMAIL = Path("app/email")
MAIL_TEMPLATES = Path("app/bookings/templates")
SEQUENCE = "from collections.abc import Sequence\n"
DATA_MIGRATION = """def upgrade() -> None:
    op.execute(
        "INSERT INTO booking_lines (id, created_at, updated_at, booking_id, label, amount) "
        "SELECT id, created_at, updated_at, id, 'Room', 0 FROM bookings"
    )


def downgrade() -> None:
    op.execute("DELETE FROM booking_lines")
"""


def copy_files(project: Path) -> None:
    """Copy the module, its tests, and its mail template where the project has templates; register the module."""
    shutil.copytree(SOURCE / "files", project, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    if (project / EMAIL).is_dir():
        shutil.copytree(SOURCE / "mail", project / MAIL_TEMPLATES, dirs_exist_ok=True)


def fill_data_migration(project: Path) -> None:
    """Write statements into the newest revision of the project, which was made empty."""
    (path,) = (project / "migrations/versions/app").glob("*_booking_lines_of_old_bookings.py")
    text = path.read_text(encoding="utf-8")
    body = re.compile(r"^def upgrade.*", re.DOTALL | re.MULTILINE)
    filled = body.sub(DATA_MIGRATION, text)
    if "from alembic import op" not in filled:
        # An empty revision lacks the imports that it does not use.
        filled = filled.replace(SEQUENCE, f"{SEQUENCE}\nfrom alembic import op\n", 1)
    path.write_text(filled, encoding="utf-8")
