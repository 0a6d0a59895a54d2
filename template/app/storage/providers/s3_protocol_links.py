"""Links to a bucket: requests with a Signature Version 4 in their query.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

The client library signs only method, path and expiry. Here the required headers are signed as well, so that the store
rejects a different type or size, and so are the response headers that a download should have.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr

ALGORITHM: Final = "AWS4-HMAC-SHA256"
_DEFAULT_PORTS: Final = {"http": ":80", "https": ":443"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """An access key and the region that its signatures are valid for."""

    access_key_id: str
    secret_access_key: SecretStr
    region: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Signable:
    """A request to sign.

    Attributes:
        url: without a query.
        headers: required in the request, besides `Host`.
        query: additional parameters.
    """

    method: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


def presign(request: Signable, credentials: Credentials, *, at: datetime, seconds: int) -> str:
    """Return a URL with which anyone can send the request until `seconds` after `at`."""
    parts = urlsplit(request.url)
    host = parts.netloc.removesuffix(_DEFAULT_PORTS[parts.scheme])
    headers = {"host": host} | {name.lower(): value for name, value in request.headers.items()}
    names = ";".join(sorted(headers))
    scope = f"{at:%Y%m%d}/{credentials.region}/s3/aws4_request"
    parameters = {
        **request.query,
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{credentials.access_key_id}/{scope}",
        "X-Amz-Date": f"{at:%Y%m%dT%H%M%SZ}",
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": names,
    }
    query = urlencode(sorted(parameters.items()), quote_via=quote, safe="")
    lines = [f"{name}:{headers[name]}" for name in sorted(headers)]
    canonical = "\n".join([request.method, parts.path, query, *lines, "", names, "UNSIGNED-PAYLOAD"])
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join([ALGORITHM, parameters["X-Amz-Date"], scope, digest])
    signature = hmac.digest(_key(credentials, scope), text.encode(), hashlib.sha256).hex()
    return f"{request.url}?{query}&X-Amz-Signature={signature}"


def _key(credentials: Credentials, scope: str) -> bytes:
    """Derive the signing key of one day, region and service."""
    key = f"AWS4{credentials.secret_access_key.get_secret_value()}".encode()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), hashlib.sha256)
    return key
