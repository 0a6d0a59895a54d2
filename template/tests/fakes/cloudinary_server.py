"""A fake of Cloudinary's Upload, Download and Admin APIs for raw assets."""

import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from tests.fakes.server import Received, Reply

_UNSIGNED: Final = frozenset({"file", "api_key", "signature", "cloud_name", "resource_type"})
_NAME: Final = re.compile(rb'name="(\w+)"')
_HOUR: Final = 3600


@dataclass(kw_only=True)
class CloudinaryServer:
    """A fake of the API. Pass `answer` to `serving`.

    Attributes:
        failures: the statuses of the next responses.
        ahead: how far its clock is ahead.
        page: how many assets a list returns per page.
    """

    cloud: str
    key: str
    secret: str
    is_down: bool = False
    failures: list[int] = field(default_factory=list)
    ahead: timedelta = timedelta(0)
    page: int = 2
    assets: dict[str, tuple[bytes, datetime]] = field(default_factory=dict)

    def answer(self, request: Received) -> Reply:
        """Answer a request."""
        if self.is_down:
            return _error(503, "Service unavailable")
        if self.failures:
            return _error(self.failures.pop(0), "Once more, please")
        url = urlsplit(request.path)
        query = dict(parse_qsl(url.query))
        action = url.path.removeprefix(f"/v1_1/{self.cloud}/")
        match request.method, action:
            case "POST", "raw/upload" | "raw/destroy":
                form = _form(request)
                fields = {name: value.decode() for name, value in form.items() if name != "file"}
                return self._refusal(fields) or self._change(action, fields, form.get("file"))
            case "GET", "raw/download":
                return self._refusal(query) or self._download(query, request.headers.get("range"))
            case "GET", _ if action.startswith("resources/raw/authenticated"):
                return self._administer(action, query, request.headers)
        return _error(404, "Not found")

    def _refusal(self, given: Mapping[str, str]) -> Reply | None:
        text = "&".join(f"{name}={given[name]}" for name in sorted(given) if name not in _UNSIGNED)
        expected = hashlib.sha256(f"{text}{self.secret}".encode()).hexdigest()
        if given.get("api_key") != self.key:
            return _error(401, "Unknown API key")
        if given.get("signature") != expected:
            return _error(401, f"Invalid Signature. String to sign - '{text}'.")
        now = (datetime.now(UTC) + self.ahead).timestamp()
        if now - int(given["timestamp"]) > _HOUR:
            return _error(401, "Stale request - reported time is more than 1 hour ago")
        if "expires_at" in given and now > int(given["expires_at"]):
            return _error(401, "Link has expired")
        assert given["type"] == "authenticated"
        return None

    def _change(self, action: str, fields: Mapping[str, str], file: bytes | None) -> Reply:
        key = fields["public_id"]
        if action == "raw/destroy":
            gone = self.assets.pop(key, None)
            return _json({"result": "not found" if gone is None else "ok"})
        if not file:
            return _error(400, "Empty file")
        existing = fields["overwrite"] == "false" and key in self.assets
        if not existing:
            self.assets[key] = file, datetime.now(UTC)
        return _json({**self._facts(key), "existing": existing})

    def _download(self, query: Mapping[str, str], asked: str | None) -> Reply:
        key = query["public_id"]
        if key not in self.assets:
            return _error(404, f"Resource not found - {key}")
        content = self.assets[key][0]
        headers = {"Content-Type": "application/octet-stream"}
        if query.get("attachment") == "true":
            headers["Content-Disposition"] = f'attachment; filename="{key.rpartition("/")[2]}"'
        if asked is None:
            return Reply(body=content, headers=headers)
        return Reply(status=206, body=content[: int(asked.removeprefix("bytes=0-")) + 1], headers=headers)

    def _administer(self, action: str, query: Mapping[str, str], headers: Mapping[str, str]) -> Reply:
        if headers.get("authorization") != f"Basic {b64encode(f'{self.key}:{self.secret}'.encode()).decode()}":
            return _error(401, "Invalid credentials")
        key = action.removeprefix("resources/raw/authenticated").removeprefix("/")
        if key:
            return _json(self._facts(key)) if key in self.assets else _error(404, f"Resource not found - {key}")
        found = sorted(known for known in self.assets if known.startswith(query["prefix"]))
        start = int(query.get("next_cursor", "0"))
        page: dict[str, object] = {"resources": [self._facts(known) for known in found[start : start + self.page]]}
        return _json(page | ({"next_cursor": str(start + self.page)} if start + self.page < len(found) else {}))

    def _facts(self, key: str) -> dict[str, object]:
        content, created = self.assets[key]
        return {
            "public_id": key,
            "resource_type": "raw",
            "type": "authenticated",
            "bytes": len(content),
            "created_at": f"{created:%Y-%m-%dT%H:%M:%SZ}",
        }


def _form(request: Received) -> dict[str, bytes]:
    """Return the fields of a `multipart/form-data` body (RFC 7578)."""
    boundary = request.headers["content-type"].partition("boundary=")[2].encode()
    found: dict[str, bytes] = {}
    for part in request.body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _NAME.search(head)
        assert name is not None
        found[name[1].decode()] = content.removesuffix(b"\r\n")
    return found


def _json(value: object) -> Reply:
    return Reply(body=json.dumps(value).encode(), headers={"Content-Type": "application/json"})


def _error(status: int, message: str) -> Reply:
    body = json.dumps({"error": {"message": message}}).encode()
    return Reply(status=status, body=body, headers={"Content-Type": "application/json"})
