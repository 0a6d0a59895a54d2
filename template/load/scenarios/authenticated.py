"""Users who are signed in."""

from load.scenario import Scenario, Session


def read_profile(session: Session) -> None:
    """Read the user's own profile."""
    session.send("GET", "/app/users/me")


def rename(session: Session) -> None:
    """Change the user's own name."""
    session.send("PATCH", "/app/users/me", json={"full_name": "Ann Example"})


def use_bad_token(session: Session) -> None:
    """Send a request without a token."""
    session.send("GET", "/app/users/me", name="/app/users/me without a token", anonymous=True, expected=(401,))


scenario = Scenario(name="authenticated", steps={read_profile: 10, rename: 2, use_bad_token: 1}, weight=3)
