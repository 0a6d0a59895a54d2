"""Tracebacks without values."""

import pytest
from pydantic import BaseModel, ValidationError
from sqlalchemy.exc import IntegrityError

from app.core.observability.redaction import MAX_EXCEPTIONS, MAX_MESSAGE, safe_traceback

EMAIL = "ann.example+tag@mail.example.com"
SECRET = "correct horse battery staple"


class Thing(BaseModel):
    size: int


def raised(error: BaseException, cause: BaseException | None = None) -> str:
    """The safe traceback of an error that was raised."""
    try:
        raise error from cause
    except type(error) as caught:
        return safe_traceback((type(caught), caught, caught.__traceback__))


class TestSafeTracebacks:
    def test_name_the_line_and_the_type(self) -> None:
        text = raised(ValueError("Out of range."))

        assert "test_safe_tracebacks.py" in text
        assert "raise error from cause" in text
        assert text.endswith("builtins.ValueError: Out of range.")

    def test_leave_out_statements_parameters_and_rows(self) -> None:
        row = Exception(f"duplicate key\nDETAIL:  Key (name)=({SECRET}) already exists.")
        text = raised(IntegrityError("INSERT INTO things VALUES (?)", (SECRET,), row), cause=row)

        assert "IntegrityError: (builtins.Exception) duplicate key" in text
        assert "INSERT" not in text
        assert SECRET not in text

    def test_leave_out_the_input_of_a_validation(self) -> None:
        with pytest.raises(ValidationError) as caught:
            Thing.model_validate({"size": SECRET})

        text = raised(caught.value)

        assert "size: int_parsing" in text
        assert SECRET not in text

    def test_name_the_cause_of_an_error(self) -> None:
        text = raised(ValueError("second"), cause=KeyError("first"))

        assert text.index("KeyError: 'first'") < text.index("which led to:") < text.index("ValueError: second")

    def test_list_all_errors_of_a_group(self) -> None:
        text = raised(ExceptionGroup("several", [ValueError(EMAIL), KeyError("b")]))

        assert "no. 1 of 2:" in text
        assert "ValueError: [email]" in text
        assert "KeyError: 'b'" in text

    def test_end_at_circular_causes(self) -> None:
        first, second = ValueError("first"), ValueError("second")
        first.__cause__ = second

        assert raised(second, cause=first).count("ValueError: second") == 1

    def test_are_limited(self) -> None:
        error = ValueError("first")
        for number in range(3_000):
            following = ValueError(f"no. {number} " + "x" * MAX_MESSAGE)
            following.__context__, error = error, following
        text = raised(ExceptionGroup("several", [error, *(KeyError(number) for number in range(3_000))]))

        assert "(earlier exceptions are left out)" in text
        assert "(it and the following ones are left out)" in text
        assert "ValueError: no. 2999 x" in text
        assert len(text) < 2 * MAX_EXCEPTIONS * MAX_MESSAGE
