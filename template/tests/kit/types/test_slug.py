"""Slugs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from app.kit.types.slug import MAX_SLUG_LENGTH, Slug

SLUG: TypeAdapter[str] = TypeAdapter(Slug)


@given(st.from_regex(r"[a-z0-9]{1,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True))
def test_accepts_letters_digits_and_single_hyphens(slug: str) -> None:
    assert SLUG.validate_python(slug) == slug


@pytest.mark.parametrize("slug", ["", "-a", "a-", "a--b", "A", "a_b", "a b", "ä", "a/b", "a" * (MAX_SLUG_LENGTH + 1)])
def test_refuses_other_text(slug: str) -> None:
    with pytest.raises(ValidationError):
        SLUG.validate_python(slug)
