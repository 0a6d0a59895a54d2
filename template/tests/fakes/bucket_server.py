"""A fake of Amazon S3: moto, plus the checks that moto doesn't make.

Signatures are verified with Amazon's own library, and links expire.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth  # type: ignore[import-untyped]  # it has no types
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials  # type: ignore[import-untyped]
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.test import Client

from tests.fakes.server import Received, Reply

_STAMP: Final = "%Y%m%dT%H%M%SZ"
_CHECKED: Final = "AWS4-HMAC-SHA256 Credential=checked/20300101/us-east-1/s3/aws4_request"
_HOP: Final = frozenset({"connection", "transfer-encoding"})


class BucketServer:
    """A fake of the store. Pass `answer` to `serving`.

    Attributes:
        keys: the secrets by the id of their key.
        is_down: whether every response is a 503.
        failures: how many of the next responses are a 503.
        ahead: how far its clock is ahead.
    """

    def __init__(self) -> None:
        self.keys: dict[str, str] = {}
        self.is_down = False
        self.failures = 0
        self.ahead = timedelta(0)
        self._objects = Client(DomainDispatcherApplication(create_backend_app))

    def make_bucket(self, name: str, host: str) -> None:
        """Create a bucket."""
        self._forward(Received(method="PUT", path=f"/{name}", headers={"host": host}, body=b""))

    def drop_bucket(self, name: str, host: str) -> None:
        """Remove an empty bucket."""
        self._forward(Received(method="DELETE", path=f"/{name}", headers={"host": host}, body=b""))

    def answer(self, request: Received) -> Reply:
        """Answer a request."""
        if self.is_down or self.failures:
            self.failures = max(0, self.failures - 1)
            return _error(503, "SlowDown")
        if request.method == "PUT" and "content-length" not in request.headers:
            return _error(411, "MissingContentLength")
        return self._refusal(request) or self._forward(request)

    def _refusal(self, request: Received) -> Reply | None:
        query = dict(parse_qsl(urlsplit(request.path).query, keep_blank_values=True))
        facts = query if "X-Amz-Signature" in query else _in_header(request.headers)
        key_id, _, scope = facts.get("X-Amz-Credential", "").partition("/")
        if key_id not in self.keys:
            return _error(403, "InvalidAccessKeyId")
        signed = facts["X-Amz-SignedHeaders"].split(";")
        if "host" not in signed or not all(name in request.headers for name in signed):
            return _error(403, "AccessDenied")
        at = datetime.strptime(facts["X-Amz-Date"], _STAMP).replace(tzinfo=UTC)
        age = datetime.now(UTC) + self.ahead - at
        if not -timedelta(minutes=15) <= age < timedelta(seconds=int(facts.get("X-Amz-Expires", "900"))):
            return _error(403, "AccessDenied")
        if self._signature(request, facts, scope) != facts["X-Amz-Signature"]:
            return _error(403, "SignatureDoesNotMatch")
        return None

    def _signature(self, request: Received, facts: Mapping[str, str], scope: str) -> str:
        day, region, service, _ = scope.split("/")
        assert facts["X-Amz-Date"].startswith(day)
        in_query = "X-Amz-Expires" in facts
        key_id = facts["X-Amz-Credential"].partition("/")[0]
        auth = (S3SigV4QueryAuth if in_query else S3SigV4Auth)(Credentials(key_id, self.keys[key_id]), service, region)
        url = f"http://{request.headers['host']}{request.path}".replace(
            f"&X-Amz-Signature={facts['X-Amz-Signature']}", ""
        )
        headers = {name: request.headers[name] for name in facts["X-Amz-SignedHeaders"].split(";")}
        again = AWSRequest(method=request.method, url=url, headers=headers, data=request.body)
        again.context["timestamp"] = facts["X-Amz-Date"]
        text = auth.string_to_sign(again, auth.canonical_request(again))
        return str(auth.signature(text, again))

    def _forward(self, request: Received) -> Reply:
        # moto takes what is signed in the query for less than what is signed in a header.
        sent = {"authorization": _CHECKED, **request.headers}
        answer = self._objects.open(request.path, method=request.method, headers=sent, data=request.body, buffered=True)
        headers = {name.title(): value for name, value in answer.headers.items() if name.lower() not in _HOP}
        return Reply(status=answer.status_code, body=answer.data, headers=headers)


def _in_header(headers: Mapping[str, str]) -> dict[str, str]:
    """Parse the header `Authorization: AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`."""
    parts = headers.get("authorization", "").removeprefix("AWS4-HMAC-SHA256 ").split(", ")
    said = {f"X-Amz-{name}": value for name, _, value in (part.partition("=") for part in parts)}
    return {**said, "X-Amz-Date": headers.get("x-amz-date", "")}


def _error(status: int, code: str) -> Reply:
    body = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code><Message>No.</Message></Error>'
    return Reply(status=status, body=body.encode(), headers={"Content-Type": "application/xml"})
