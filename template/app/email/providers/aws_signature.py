"""AWS Signature Version 4 for requests with a body.

See https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

import hashlib
import hmac
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

import httpx
from pydantic import SecretStr

ALGORITHM: Final = "AWS4-HMAC-SHA256"
TIMESTAMP: Final = "%Y%m%dT%H%M%SZ"


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsSigner:
    """A signer of requests to one service in one region."""

    access_key_id: str
    secret_access_key: SecretStr = field(repr=False)
    region: str
    service: str

    def authorization(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> str:
        """Return the value of the header `Authorization`.

        Args:
            path: of the URL, made of unreserved characters only; there is no query.
            headers: all headers to sign, with lower-case names; `host` and `x-amz-date` are required.
        """
        timestamp = headers["x-amz-date"]
        date = timestamp.partition("T")[0]
        scope = f"{date}/{self.region}/{self.service}/aws4_request"
        names = sorted(headers)
        signed_headers = ";".join(names)
        canonical_headers = [f"{name}:{' '.join(headers[name].split())}" for name in names]
        body_hash = hashlib.sha256(body).hexdigest()
        canonical = "\n".join([method, path or "/", "", *canonical_headers, "", signed_headers, body_hash])
        canonical_hash = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"{ALGORITHM}\n{timestamp}\n{scope}\n{canonical_hash}"
        signature = hmac.digest(self.signing_key(date), to_sign.encode(), "sha256").hex()
        return (
            f"{ALGORITHM} Credential={self.access_key_id}/{scope}, "
            f"SignedHeaders={signed_headers}, Signature={signature}"
        )

    def signing_key(self, date: str) -> bytes:
        """Derive the key of one day (`YYYYMMDD`)."""
        key = b"AWS4" + self.secret_access_key.get_secret_value().encode()
        for part in (date, self.region, self.service, "aws4_request"):
            key = hmac.digest(key, part.encode(), "sha256")
        return key


class AwsAuth(httpx.Auth):
    """Authentication that signs each request of a client, retries included, with the current time."""

    requires_request_body = True

    def __init__(self, signer: AwsSigner) -> None:
        self._signer = signer

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response]:
        """See `httpx.Auth.auth_flow`."""
        request.headers["X-Amz-Date"] = datetime.now(UTC).strftime(TIMESTAMP)
        signed = {name: request.headers[name] for name in ("content-type", "host", "x-amz-date")}
        request.headers["Authorization"] = self._signer.authorization(
            request.method, request.url.path, signed, request.content
        )
        yield request
