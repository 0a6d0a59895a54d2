"""Roles that the identity provider's tokens state, as far as the settings map them. By default no claim counts."""

from collections.abc import Iterator, Mapping

from app.auth.port import Identity
from app.auth.settings import AuthSettings
from app.users.roles import AccessPolicy, Role


def claimed_role(settings: AuthSettings, identity: Identity) -> str | None:
    """Return the role that AUTH_ROLE_MAPPING assigns to the token's claim. The first match in the mapping wins."""
    if not settings.AUTH_ROLE_MAPPING:
        return None
    value = _find(identity.claims, settings.AUTH_ROLE_CLAIM)
    stated = value if isinstance(value, list) else [value]
    return next((role for name, role in settings.AUTH_ROLE_MAPPING.items() if name in stated), None)


def mapping_problems(settings: AuthSettings, policy: AccessPolicy) -> Iterator[str]:
    """Yield what is wrong with AUTH_ROLE_MAPPING, one line for each problem."""
    if settings.AUTH_ROLE_MAPPING and not settings.AUTH_ROLE_CLAIM:
        yield "AUTH_ROLE_MAPPING needs AUTH_ROLE_CLAIM, the claim whose values it maps"
    for value, role in settings.AUTH_ROLE_MAPPING.items():
        if role == Role.ADMIN:
            yield (
                f"AUTH_ROLE_MAPPING maps {value!a} to admin; administrators are only assigned in the database, where "
                "each change is audited and revoked at once"
            )
        elif role not in policy.roles:
            yield f"AUTH_ROLE_MAPPING maps {value!a} to {role!a}, which app/project_roles.py does not define"


def _find(claims: Mapping[str, object], name: str) -> object:
    """Return a claim by its full name, such as `https://example.com/roles`, or by its path, such as `metadata.role`."""
    if name in claims:
        return claims[name]
    value: object = claims
    for part in name.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
