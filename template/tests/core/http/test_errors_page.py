"""docs/errors.md lists the errors of the core as they are."""

import re
from pathlib import Path

from app.core import errors
from app.core.errors import AppError

PAGE = Path(__file__).resolve().parents[3] / "docs" / "errors.md"
ROW = re.compile(r"^\| `(\w+Error)` \| (\d{3}) \| `([A-Z_]+)` \|$", re.MULTILINE)


def test_every_error_of_the_core_is_listed() -> None:
    listed = {(name, int(status), code) for name, status, code in ROW.findall(PAGE.read_text(encoding="utf-8"))}
    classes = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, AppError)]
    assert listed == {(cls.__name__, cls.status, cls.code) for cls in classes if cls is not AppError}
