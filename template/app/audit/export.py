"""The audit log as CSV and as JSON lines."""

import csv
import io
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import Row

from app.audit.queries import export_entries
from app.audit.schemas import AuditEntryRead, AuditFilters, ExportFormat
from app.core.db.database import Database

MEDIA_TYPES: Final = {
    ExportFormat.CSV: "text/csv; charset=utf-8; header=present",
    ExportFormat.JSON_LINES: "application/jsonl; charset=utf-8",
}
_FORMULA: Final = re.compile(r"[\s\x00-\x1f\x7f\ufeff]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r]")
"""The beginnings that spreadsheets take for a formula, also in full width and behind space (OWASP, "CSV Injection")."""

type Rows = Sequence[Row[*tuple[Any, ...]]]


async def export(database: Database, filters: AuditFilters, export_format: ExportFormat) -> AsyncIterator[bytes]:
    """Stream all entries that match, newest first."""
    if export_format == ExportFormat.CSV:
        yield _csv([tuple(AuditEntryRead.model_fields)])
    async for rows in export_entries(database, filters):
        yield _csv(map(_cells, rows)) if export_format == ExportFormat.CSV else b"".join(map(_line, rows))


def _line(row: Row[*tuple[Any, ...]]) -> bytes:
    return to_json(AuditEntryRead.model_validate(row)) + b"\n"


def _cells(row: Row[*tuple[Any, ...]]) -> list[str]:
    return [_cell(value) for value in AuditEntryRead.model_validate(row).model_dump(mode="json").values()]


def _cell(value: object) -> str:
    text = "" if value is None else value if isinstance(value, str) else to_json(value).decode()
    # A spreadsheet would run it as a formula.
    return f"'{text}" if _FORMULA.match(text) else text


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()
