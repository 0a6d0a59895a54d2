"""Read tokens and webhooks of identity providers. Signed values come from outside too, and are checked."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final

from app.auth.port import Assurance, Identity, InvalidTokenError

type Claims = Mapping[str, object]

MAX_SUBJECT_LENGTH: Final = 255
MAX_EMAIL_LENGTH: Final = 320
MAX_NAME_LENGTH: Final = 200
MULTI_FACTOR: Final = "mfa"
"""The value of `amr` for a sign-in with two factors (RFC 8176)."""


def is_subject(value: object) -> bool:
    """Return whether the value can identify a user: 1 to 255 printable characters, which any database can store."""
    return isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT_LENGTH and value.isprintable()


def clean_email(value: object) -> str | None:
    """Return the address, or `None` if the value is not one. Addresses never identify a user."""
    # It is stored in lower case, in which it may be longer.
    if not isinstance(value, str) or len(value.lower()) > MAX_EMAIL_LENGTH or not value.isprintable():
        return None
    local, at, domain = value.strip().rpartition("@")
    return value.strip() if local and at and domain and " " not in value.strip() else None


def clean_name(*parts: object) -> str | None:
    """Return the parts of a name on one line, or `None` if no part is printable."""
    words = [part.strip() for part in parts if isinstance(part, str) and part.isprintable() and part.strip()]
    return " ".join(words)[:MAX_NAME_LENGTH].strip() or None


def section(claims: Claims, name: str) -> Claims:
    """Return an object inside the claims, or an empty one if it is missing."""
    value = claims.get(name)
    return value if isinstance(value, Mapping) else {}


def verified_flag(claims: Claims) -> bool | None:
    """Return `email_verified` (OpenID Connect Core §5.1), or `None` if the issuer does not state it.

    Some issuers send text. Anything that does not clearly say yes means no.
    """
    value = claims.get("email_verified")
    return None if value is None else value is True or value == "true"


def assurance_of(claims: Claims) -> Assurance:
    """Return the assurance that standard claims state: `amr`, `act` and `is_anonymous`."""
    methods = claims.get("amr")
    actor = section(claims, "act").get("sub")
    return Assurance(
        level="aal2" if isinstance(methods, list) and MULTI_FACTOR in methods else "aal1",
        is_anonymous=claims.get("is_anonymous") not in (None, False),
        actor=actor if isinstance(actor, str) and is_subject(actor) else None,
    )


def identity_of(
    provider: str, claims: Claims, *, name: str | None = None, assurance: Assurance | None = None
) -> Identity:
    """Return the identity in verified claims, without an address that the issuer calls unverified.

    Args:
        name: replaces the claim `name`.
        assurance: replaces `assurance_of(claims)`, for providers with claims of their own.

    Raises:
        InvalidTokenError: `sub` or `act` is malformed.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_subject(subject):
        raise InvalidTokenError(reason="sub")
    assurance = assurance or assurance_of(claims)
    if "act" in claims and assurance.actor is None:
        # Someone else acts as the user, and it is unknown who.
        raise InvalidTokenError(reason="act")
    verified = verified_flag(claims)
    email = None if verified is False else clean_email(claims.get("email"))
    return Identity(
        provider=provider,
        subject=subject,
        email=email,
        email_verified=verified is True and email is not None,
        name=name or clean_name(claims.get("name")),
        issued_at=_issued_at(claims),
        assurance=assurance,
        claims=claims,
    )


def _issued_at(claims: Claims) -> datetime | None:
    value = claims.get("iat")
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return datetime.fromtimestamp(value, UTC)
    except (ValueError, ArithmeticError, OSError):
        return None
