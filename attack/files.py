"""Files of a user in the local store of an application under attack."""

import json
from typing import Any, cast
from urllib.parse import urlsplit

from attack.servers import CREATED, OK, send

FILES = "/api/v1/app/files"


def upload(url: str, token: str, content: bytes) -> tuple[int, dict[str, Any]]:
    """Ask for a link and upload to it. Return the last status, and the link or the body of the error."""
    file = {"name": "file.pdf", "content_type": "application/pdf", "size": len(content)}
    status, link = _call(url + f"{FILES}/upload-url", token, file)
    if status == CREATED:
        status, error = send(link["method"], own_url(url, link), headers=link["headers"], content=content)
        if isinstance(error, dict):
            return status, error
    return status, link


def stored_file(url: str, token: str, content: bytes) -> str:
    """Store a file, and return the path of its download link.

    Raises:
        SystemExit: it could not be stored.
    """
    status, link = upload(url, token, content)
    confirmed, file = _call(url + f"{FILES}/confirm", token, {"id": link.get("id")})
    answered, download = send(
        "GET", f"{url}{FILES}/{file.get('id')}/download-url", headers={"Authorization": f"Bearer {token}"}
    )
    if answered != OK or not isinstance(download, dict):
        raise SystemExit(f"The file was not stored: {status} {link}, {confirmed} {file}, {answered} {download}")
    return own_url("", download)


def own_url(url: str, link: dict[str, Any]) -> str:
    """Return a link's URL on another server: PUBLIC_URL is not always the one under attack."""
    return url + urlsplit(str(link["url"]))._replace(scheme="", netloc="").geturl()


def _call(url: str, token: str, body: dict[str, object]) -> tuple[int, dict[str, Any]]:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    status, answer = send("POST", url, headers=headers, content=json.dumps(body).encode())
    return status, cast("dict[str, Any]", answer)
