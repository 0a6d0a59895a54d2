"""A table of the tests' own with encrypted columns, which no migration knows."""

from typing import ClassVar
from uuid import UUID

from pydantic import SecretStr
from sqlalchemy import MetaData
from sqlmodel import Field, SQLModel, col

from app.core.db.models import Entity
from app.core.db.repository import Repository
from app.core.manifest import Module, PersonalData
from app.core.runtime import Runtime
from app.crypto.columns import EncryptedText
from app.crypto.module import module as crypto

METADATA = MetaData()


class Integration(Entity, table=True):
    """A user's account at another service."""

    metadata = METADATA
    __tablename__ = "integrations"

    owner_id: UUID
    name: str
    token: SecretStr = Field(sa_type=EncryptedText)
    note: SecretStr | None = Field(default=None, sa_type=EncryptedText)


class Preference(SQLModel, table=True):
    """A row with a key of two columns, and values that any statement may write."""

    metadata = METADATA
    __tablename__ = "preferences"

    user: str = Field(primary_key=True)
    name: str = Field(primary_key=True)
    value: SecretStr | None = Field(default=None, sa_type=EncryptedText(row_bound=False))


class Numbered(SQLModel, table=True):
    """A row with an integer as its key."""

    metadata = METADATA
    __tablename__ = "numbered"

    id: int = Field(primary_key=True)
    secret: SecretStr = Field(sa_type=EncryptedText)


class IntegrationRepository(Repository[Integration]):
    """Integrations."""

    model = Integration
    owner: ClassVar = col(Integration.owner_id)


INTEGRATIONS = Module(
    name="integrations",
    models=(Integration, Preference, Numbered),
    personal_data=(PersonalData(model=Integration, belongs=lambda user_id: col(Integration.owner_id) == user_id),),
)
MODULES = (crypto, INTEGRATIONS)


async def make_tables(runtime: Runtime) -> None:
    """Create the tables."""
    async with runtime.database.transaction() as session:
        await (await session.connection()).run_sync(METADATA.create_all)
