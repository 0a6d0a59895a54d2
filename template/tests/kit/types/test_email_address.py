"""Email addresses."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.kit.types.email_address import MAX_EMAIL_LENGTH, ascii_email, check_email, email_key
from tests.kit.types.samples import STRINGS, refuses

EMAIL = STRINGS["Email"]


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("Ada.Lovelace+news@Mail.Example.COM", "Ada.Lovelace+news@mail.example.com"),
        ("  ada@example.com\n", "ada@example.com"),
        ("zoe\u0308@example.com", "zo\xeb@example.com"),
        ("ada@b\xfccher.example", "ada@b\xfccher.example"),
        ("ada@xn--bcher-kva.example", "ada@b\xfccher.example"),
        ("\u7532\u6590@\u9ed1\u5ddd.\u65e5\u672c", "\u7532\u6590@\u9ed1\u5ddd.\u65e5\u672c"),
    ],
    ids=ascii,
)
def test_keeps_the_case_and_normalizes_the_domain(typed: str, kept: str) -> None:
    assert EMAIL.validate_python(typed) == kept


@pytest.mark.parametrize(
    "value",
    [
        "ada", "@example.com", "ada@", "ada@example", "ada@@example.com", "ada b@example.com", ".ada@example.com",
        "Ada <ada@example.com>", "ada@example.com, eve@example.com", "ada@example.com\r\nBcc: eve@example.com",
        '"ada"@example.com', "ada@[127.0.0.1]", "ada@localhost", "ada@printer.local", "a" * 65 + "@example.com",
        "ada@\u202eexample.com", "ada@exa\u200bmple.com", "\ud800@example.com",
    ],
    ids=ascii,
)  # fmt: skip
def test_refuses_invalid_and_undeliverable_addresses(value: str) -> None:
    assert refuses(EMAIL, value)


@given(local=st.from_regex(r"[A-Za-z0-9]{1,10}(\.[A-Za-z0-9]{1,10})?", fullmatch=True))
def test_addresses_that_differ_in_case_have_one_key(local: str) -> None:
    upper, lower = (
        EMAIL.validate_python(text) for text in (f"{local.upper()}@EXAMPLE.com", f"{local.lower()}@example.com")
    )
    assert upper.partition("@")[0] == local.upper()
    assert email_key(upper) == email_key(lower) == lower


@given(local=st.text(st.sampled_from("i\u0130\u1e9e\u01c5\u0958a"), min_size=1, max_size=64), labels=st.integers(1, 40))
@example(local="\u0130" * 64, labels=36)
def test_a_key_is_no_longer_than_an_address(local: str, labels: int) -> None:
    try:
        address = check_email(f"{local}@{'abc.' * labels}example.com")
    except ValueError:
        return
    key = email_key(address)
    assert len(key) <= MAX_EMAIL_LENGTH
    assert email_key(key) == key


def test_a_key_is_normalized_after_its_letters_are_lowered() -> None:
    # There is no capital letter of this kind in one character.
    assert email_key(EMAIL.validate_python("H\u0331@example.com")) == "\u1e96@example.com"


def test_an_address_whose_key_would_be_too_long_is_refused() -> None:
    domain = f"{'abc.' * 40}example.com"
    assert check_email(f"{'i' * 64}@{domain}")
    assert refuses(EMAIL, f"{chr(0x130) * 64}@{domain}")


def test_different_domains_have_different_keys() -> None:
    assert email_key("a@stra\xdfe.example") != email_key("a@strasse.example")


@pytest.mark.parametrize(
    ("value", "sent"),
    [("Ada@Example.com", "Ada@example.com"), ("ada@stra\xdfe.example", "ada@xn--strae-oqa.example"), ("a@b.test",) * 2],
    ids=ascii,
)
def test_an_address_is_sent_in_ascii(value: str, sent: str) -> None:
    assert ascii_email(value) == sent


@pytest.mark.parametrize(
    "value", ["\xe4d\xe4@example.com", "ada", "ada@localhost", "\ud800@example.com", "a" * 300], ids=ascii
)
def test_an_address_that_cannot_be_sent_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="must be an email address"):
        ascii_email(value)
