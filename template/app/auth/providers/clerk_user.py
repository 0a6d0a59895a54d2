"""A user as Clerk's Backend API and its webhooks describe them (https://clerk.com/docs/reference/backend-api)."""

from app.auth.claims import Claims, clean_email, clean_name, section


def email_of(user: Claims) -> str | None:
    """Return the primary address if Clerk has verified it."""
    addresses = user.get("email_addresses")
    for address in addresses if isinstance(addresses, list) else ():
        if not isinstance(address, dict) or address.get("id") != user.get("primary_email_address_id"):
            continue
        verified = section(address, "verification").get("status") == "verified"
        return clean_email(address.get("email_address")) if verified else None
    return None


def name_of(user: Claims) -> str | None:
    """Return first and last name, as far as they are known."""
    return clean_name(user.get("first_name"), user.get("last_name"))
