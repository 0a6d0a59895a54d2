"""Reads what a token or a webhook says of somebody. Signed or not, its values came from outside."""

from collections.abc import Mapping

from app.auth.port import Identity, InvalidTokenError

type Claims = Mapping[str, object]

MAX_SUBJECT_LENGTH = 255
MAX_EMAIL_LENGTH = 320
MAX_NAME_LENGTH = 200


def is_subject(value: object) -> bool:
    """Whether it can identify somebody: 1 to 255 printable characters, so that any database can keep it."""
    return isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT_LENGTH and value.isprintable()


def clean_email(value: object) -> str | None:
    """The address, or nothing when it is none. Nobody is recognised by it."""
    if not isinstance(value, str) or not value.isprintable() or len(value) > MAX_EMAIL_LENGTH:
        return None
    local, at, domain = value.strip().rpartition("@")
    return value.strip() if local and at and domain and " " not in value.strip() else None


def clean_name(*parts: object) -> str | None:
    """The parts of a name in one line, or nothing when none can be shown."""
    words = [part.strip() for part in parts if isinstance(part, str) and part.isprintable() and part.strip()]
    return " ".join(words)[:MAX_NAME_LENGTH].strip() or None


def section(claims: Claims, name: str) -> Claims:
    """An object inside the claims; empty when there is none of that name."""
    value = claims.get(name)
    return value if isinstance(value, Mapping) else {}


def identity_of(provider: str, claims: Claims, *, name: str | None = None) -> Identity:
    """The identity that verified claims name.

    An address that the issuer itself calls unverified is left out.

    Raises:
        InvalidTokenError: `sub` is no subject.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not is_subject(subject):
        raise InvalidTokenError
    email = None if claims.get("email_verified") is False else clean_email(claims.get("email"))
    return Identity(provider=provider, subject=subject, email=email, name=name or clean_name(claims.get("name")))
