"""Queries on impersonations."""

from app.core.db.repository import Repository
from app.impersonation.models import Impersonation


class ImpersonationRepository(Repository[Impersonation]):
    """Impersonations."""

    model = Impersonation
