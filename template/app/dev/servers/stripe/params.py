"""Parameters of requests: the form encoding of Stripe's API, and their checks.

A list is written `items[0][price]=…`, or `expand[]=…`; a mapping `metadata[key]=…`. An empty value unsets a field.
"""

import json
import re
from typing import Final, Self
from urllib.parse import parse_qsl

from app.dev.servers.stripe.errors import ApiError, invalid

type Value = str | dict[str, Value]

_KEY: Final = re.compile(r"[^\[\]]+|\[\]")
MAX_INTEGER: Final = 99_999_999
MAX_METADATA: Final = 50


def parse(text: str) -> dict[str, Value]:
    """Parse a query string or the body of a form. Lists become mappings whose keys are numbers.

    Raises:
        ApiError: a name is used both for a value and for a group.
    """
    if text.startswith("{"):
        # Requests of API version 2.
        return {name: _from_json(value) for name, value in json.loads(text).items()}
    found: dict[str, Value] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        parts = _KEY.findall(name)
        group = found
        for part in parts[:-1]:
            below = group.setdefault(part, {})
            if not isinstance(below, dict):
                raise invalid(f"Invalid object: {name}", name)
            group = below
        key = parts[-1] if parts else name
        group[str(len(group)) if key == "[]" else key] = value
    return found


def _from_json(value: object) -> Value:
    if isinstance(value, dict):
        return {name: _from_json(part) for name, part in value.items()}
    if isinstance(value, list):
        return {str(number): _from_json(part) for number, part in enumerate(value)}
    return str(value)


class Params:
    """The parameters of a request. `finish` rejects those that were not read."""

    def __init__(self, values: dict[str, Value], path: str = "") -> None:
        self._values = values
        self._path = path
        self._read: set[str] = set()
        self._parts: list[Params] = []

    def __contains__(self, name: str) -> bool:
        """Return whether the parameter is given, be it empty."""
        return name in self._values

    def names(self) -> list[str]:
        """Return the names of the parameters that are given."""
        return list(self._values)

    def text(self, name: str) -> str | None:
        """Return a text, or `None` if it is missing or empty."""
        self._read.add(name)
        value = self._values.get(name, "")
        if isinstance(value, dict):
            raise invalid(f"Invalid string: {self.name(name)}", self.name(name))
        return value or None

    def required(self, name: str) -> str:
        """Return a text that may not be missing."""
        value = self.text(name)
        if value is None:
            raise invalid(f"Missing required param: {self.name(name)}.", self.name(name), code="parameter_missing")
        return value

    def integer(self, name: str, *, least: int | None = None, most: int | None = None) -> int | None:
        """Return a whole number within the limits."""
        value = self.text(name)
        if value is None:
            return None
        if not re.fullmatch(r"-?\d{1,19}", value):
            raise invalid(f"Invalid integer: {value}", self.name(name), code="parameter_invalid_integer")
        number = int(value)
        if (least is not None and number < least) or (most is not None and number > most):
            raise invalid(
                f"This value must be between {least} and {most}.", self.name(name), code="parameter_invalid_integer"
            )
        return number

    def boolean(self, name: str) -> bool | None:
        """Return true or false."""
        value = self.text(name)
        if value not in {None, "true", "false"}:
            raise invalid(f"Invalid boolean: {value}", self.name(name))
        return None if value is None else value == "true"

    def choice[T: str](self, name: str, choices: tuple[T, ...]) -> T | None:
        """Return one of the choices."""
        value = self.text(name)
        if value is None:
            return None
        for choice in choices:
            if choice == value:
                return choice
        expected = ", ".join(choices)
        raise invalid(f"Invalid {self.name(name)}: must be one of {expected}", self.name(name))

    def strings(self, name: str) -> list[str]:
        """Return a list of texts."""
        part = self.group(name)
        return [part.required(key) for key in part.names()]

    def mapping(self, name: str) -> dict[str, str]:
        """Return a mapping of texts; an empty text unsets a key."""
        part = self.group(name)
        return {key: part.text(key) or "" for key in part.names()}

    def group(self, name: str) -> Self:
        """Return the parameters below a name; none if the name is missing or empty."""
        self._read.add(name)
        value = self._values.get(name, {})
        if isinstance(value, str):
            if value:
                raise invalid(f"Invalid object: {self.name(name)}", self.name(name))
            value = {}
        part = type(self)(value, self.name(name))
        self._parts.append(part)
        return part

    def entries(self, name: str) -> list[Self]:
        """Return the parameters of each entry of a list."""
        part = self.group(name)
        return [part.group(key) for key in part.names()]

    def ignore(self, *names: str) -> None:
        """Accept parameters that mean nothing to the fake."""
        for name in names:
            self._read.add(name)

    def name(self, name: str) -> str:
        """Return the whole name of a parameter of this group."""
        return f"{self._path}[{name}]" if self._path else name

    def finish(self) -> None:
        """Reject parameters that were not read.

        Raises:
            ApiError: there is one.
        """
        for name in self._values:
            if name not in self._read:
                raise ApiError(
                    message=f"Received unknown parameter: {self.name(name)}. (This is the fake: it supports the "
                    "parameters that it needs, and Stripe may have more.)",
                    code="parameter_unknown",
                    param=self.name(name),
                )
        for part in self._parts:
            part.finish()


def merged(before: dict[str, str], changes: dict[str, str]) -> dict[str, str]:
    """Return metadata after an update: an empty text removes its key.

    Raises:
        ApiError: there are too many keys.
    """
    after = {key: value for key, value in {**before, **changes}.items() if value}
    if len(after) > MAX_METADATA:
        raise invalid(f"Metadata can have at most {MAX_METADATA} keys.", "metadata")
    return after
