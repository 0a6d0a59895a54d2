"""The shape of the dashboard."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field


class FigureValue(BaseModel):
    """A number."""

    model_config = ConfigDict(from_attributes=True)

    label: str = Field(description="Such as a day, a plan or a state; `total` if the figure has one number.")
    value: int
    is_exact: bool = Field(description="False: the number is an estimate or a lower bound.")


class FigureRead(BaseModel):
    """The numbers of one kind."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    module: str = Field(description="The module that has contributed it.")
    unit: str
    values: list[FigureValue] | None = Field(description="Null if the figure is not available at the moment.")


class Dashboard(BaseModel):
    """The figures of all modules."""

    as_of: datetime = Field(description="When they were computed, at most a minute ago.")
    figures: list[FigureRead]
