"""The header with which a browser saves a file."""

import re
from urllib.parse import quote


def attachment_header(filename: str) -> str:
    """Return a `Content-Disposition` header that makes a browser save a file and never display it (RFC 6266)."""
    plain = re.sub(r'[^\x20-\x7e]|["\\%]', "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
