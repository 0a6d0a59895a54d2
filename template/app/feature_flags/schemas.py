"""Request and response bodies for feature flags."""

from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from app.core.db.pagination import ListQuery
from app.feature_flags.evaluation import Reason
from app.feature_flags.models import DESCRIPTION_LENGTH, KEY_LENGTH
from app.feature_flags.rules import MAX_RULES, FlagRule
from app.kit.text import Paragraphs, SearchText
from app.kit.timestamp import Timestamp

MAX_USERS_AT_ONCE: Final = 1000
EVERYONE: Final = FlagRule(everyone=True)


def _in_utc(value: datetime | None) -> datetime | None:
    try:
        return None if value is None else value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is too far away") from None


FlagKey = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*([._-][a-z0-9]+)*$", max_length=KEY_LENGTH)]
"""Lower-case words, separated by a hyphen, an underscore or a dot: `new-editor`."""

Description = Annotated[str, Paragraphs(max_length=DESCRIPTION_LENGTH)]
Rules = Annotated[
    list[FlagRule],
    Field(max_length=MAX_RULES, description="The flag is on for users whom one of the rules matches."),
]
Time = Annotated[Timestamp | None, AfterValidator(_in_utc)]
StartsAt = Annotated[Time, Field(description="The flag is off before this time.")]
EndsAt = Annotated[Time, Field(description="The flag is off from this time on.")]


class FlagCreate(BaseModel):
    """A new flag. By default it is disabled; once enabled, it is on for everyone."""

    model_config = ConfigDict(extra="forbid")

    key: FlagKey
    description: Description = ""
    enabled: bool = False
    rules: Rules = [EVERYONE]
    starts_at: StartsAt = None
    ends_at: EndsAt = None


class FlagUpdate(BaseModel):
    """Changes to a flag. Omitted fields stay unchanged. The key cannot change."""

    model_config = ConfigDict(extra="forbid")

    # The defaults are never used, since only sent fields are written: these may be omitted but not null.
    description: Description = ""
    enabled: bool = False
    rules: Rules = []
    starts_at: StartsAt = None
    ends_at: EndsAt = None


class FlagRead(BaseModel):
    """A flag. `user_count` is the length of its list of users."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    key: str
    description: str
    enabled: bool
    rules: list[FlagRule]
    starts_at: datetime | None
    ends_at: datetime | None
    user_count: int
    created_at: datetime
    updated_at: datetime


class FlagQuery(ListQuery):
    """Filters of the list of flags."""

    search: SearchText | None = Field(default=None, description="Part of a key or a description.")
    enabled: bool | None = Field(default=None, description="Only enabled or only disabled flags.")
    sort: Literal["key", "-key", "updated_at", "-updated_at"] | None = None


class FlagUsers(BaseModel):
    """Users to add to a list or to remove from it: either one or several."""

    model_config = ConfigDict(extra="forbid")

    user_id: UUID | None = None
    user_ids: list[UUID] = Field(default=[], max_length=MAX_USERS_AT_ONCE)

    @model_validator(mode="after")
    def _one_or_several(self) -> Self:
        if (self.user_id is None) == (not self.user_ids):
            raise ValueError("send either user_id or user_ids")
        return self

    @property
    def ids(self) -> list[UUID]:
        """The users, each once, in a fixed order."""
        return sorted(set(self.user_ids) if self.user_id is None else {self.user_id})


class ListedUser(BaseModel):
    """A user in the list of a flag, since `created_at`."""

    user_id: UUID
    email: str | None
    created_at: datetime


class FlagCheck(BaseModel):
    """The result of evaluating a flag for a user. `rule` is the position of the matching rule, from 0."""

    key: str
    user_id: UUID
    enabled: bool
    reason: Reason
    rule: int | None


class EnabledFlags(BaseModel):
    """The keys of the flags that are on for the current user. All others are off."""

    enabled: list[str]
