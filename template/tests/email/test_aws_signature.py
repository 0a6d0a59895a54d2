"""AWS Signature Version 4, checked against AWS's published examples."""

import pytest
from pydantic import SecretStr

from app.email.providers.aws_signature import AwsSigner

DATE = "20150830T123600Z"


def signer(service: str) -> AwsSigner:
    """The credentials of the examples."""
    return AwsSigner(
        access_key_id="AKIDEXAMPLE",
        secret_access_key=SecretStr("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        region="us-east-1",
        service=service,
    )


def test_derives_the_signing_key_of_the_documentation() -> None:
    expected = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
    assert signer("iam").signing_key("20150830").hex() == expected


@pytest.mark.parametrize(
    ("method", "headers", "body", "names", "signature"),
    [
        pytest.param(
            "GET",
            {},
            b"",
            "host;x-amz-date",
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
            id="get-vanilla",
        ),
        pytest.param(
            "POST",
            {},
            b"",
            "host;x-amz-date",
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
            id="post-vanilla",
        ),
        pytest.param(
            "POST",
            {"my-header1": "VALUE1"},
            b"",
            "host;my-header1;x-amz-date",
            "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d",
            id="post-header-value-case",
        ),
        pytest.param(
            "POST",
            {"content-type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "content-type;host;x-amz-date",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
            id="post-x-www-form-urlencoded",
        ),
    ],
)
def test_signs_like_the_test_suite_of_aws(
    method: str, headers: dict[str, str], body: bytes, names: str, signature: str
) -> None:
    signed = {"host": "example.amazonaws.com", "x-amz-date": DATE, **headers}
    assert signer("service").authorization(method, "/", signed, body) == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={names}, Signature={signature}"
    )


def test_the_secret_is_not_shown() -> None:
    assert "wJalr" not in repr(signer("ses"))
