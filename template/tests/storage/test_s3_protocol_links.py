"""Signed requests, against Amazon's own example and its own library."""

from datetime import UTC, datetime

import pytest
from botocore.auth import S3SigV4QueryAuth  # type: ignore[import-untyped]  # it has no types
from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
from botocore.credentials import Credentials as TheirCredentials  # type: ignore[import-untyped]
from pydantic import SecretStr

from app.storage.providers.s3_protocol_links import Credentials, Signable, presign

CREDENTIALS = Credentials(
    access_key_id="AKIAIOSFODNN7EXAMPLE",
    secret_access_key=SecretStr("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
    region="us-east-1",
)
MAY = datetime(2013, 5, 24, tzinfo=UTC)


def test_amazons_example() -> None:
    """The example of Amazon's page on query authentication."""
    url = presign(
        Signable(method="GET", url="https://examplebucket.s3.amazonaws.com/test.txt"),
        CREDENTIALS,
        at=MAY,
        seconds=86400,
    )

    assert url == (
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


@pytest.mark.parametrize("url", ["https://s.example.com/files/a/b", "http://127.0.0.1:9000/bucket/files/a-b_c.d"])
@pytest.mark.parametrize(
    ("method", "headers", "query"),
    [
        ("GET", {}, {"response-content-disposition": "attachment; filename=\"a b\"; filename*=UTF-8''%C3%A4~+&=ä"}),
        ("PUT", {"Content-Type": "image/png", "If-None-Match": "*", "Content-Length": "7"}, {}),
        ("DELETE", {"X-Amz-Meta": "x"}, {"b": "", "a": "/", "B": "~"}),
    ],
)
def test_amazons_library_signs_the_same(method: str, url: str, headers: dict[str, str], query: dict[str, str]) -> None:
    request = Signable(method=method, url=url, headers=headers, query=query)
    unsigned, _, signature = presign(request, CREDENTIALS, at=MAY, seconds=60).partition("&X-Amz-Signature=")
    auth = S3SigV4QueryAuth(
        TheirCredentials(CREDENTIALS.access_key_id, CREDENTIALS.secret_access_key.get_secret_value()), "s3", "us-east-1"
    )
    theirs = AWSRequest(method=method, url=unsigned, headers=headers)
    theirs.context["timestamp"] = "20130524T000000Z"
    text = auth.string_to_sign(theirs, auth.canonical_request(theirs))

    assert signature == auth.signature(text, theirs)


def test_a_default_port_is_not_signed() -> None:
    plain, said = (
        presign(Signable(method="GET", url=f"https://s.example.com{port}/a"), CREDENTIALS, at=MAY, seconds=1)
        for port in ("", ":443")
    )

    assert plain.rpartition("=")[2] == said.rpartition("=")[2]
