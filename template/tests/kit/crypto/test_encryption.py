"""Encryption of values."""

import base64

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from app.kit.crypto.encryption import (
    MAX_VALUE_BYTES,
    EncryptionError,
    EncryptionKey,
    InvalidKeyError,
    Keyring,
    TamperedValueError,
    UnknownKeyError,
)

KEY = EncryptionKey("k1", bytes(range(32)))
OTHER = EncryptionKey("k2", bytes(range(1, 33)))
KEYRING = Keyring([KEY])
PLACE = "users.tax_number/1"
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def parts_of(value: str) -> tuple[str, bytes]:
    prefix, _, encoded = value.rpartition(".")
    return prefix, base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))


class TestFormat:
    def test_the_cipher_is_the_one_of_the_specification(self) -> None:
        # McGrew and Viega, The Galois/Counter Mode of Operation, test case 16
        key = bytes.fromhex("feffe9928665731c6d6a8f9467308308" * 2)
        nonce = bytes.fromhex("cafebabefacedbaddecaf888")
        plaintext = bytes.fromhex(
            "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
            "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
        )
        associated = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
        sealed = bytes.fromhex(
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
            "76fc6ece0f4e1768cddf8853bb2d551b"
        )

        assert AESGCM(key).encrypt(nonce, plaintext, associated) == sealed

    def test_a_value_can_be_read_without_this_code(self) -> None:
        prefix, sealed = parts_of(KEYRING.encrypt("secret", context=PLACE))

        assert prefix == "v1.k1"
        assert AESGCM(KEY.secret).decrypt(sealed[:12], sealed[12:], f"v1.k1.{PLACE}".encode()) == b"secret"

    def test_values_of_former_versions_stay_readable(self) -> None:
        sealed = AESGCM(KEY.secret).encrypt(bytes(12), "ä".encode(), f"v1.k1.{PLACE}".encode())
        stored = f"v1.k1.{base64.urlsafe_b64encode(bytes(12) + sealed).rstrip(b'=').decode()}"

        assert stored == "v1.k1.AAAAAAAAAAAAAAAA" + stored[22:]
        assert KEYRING.decrypt(stored, context=PLACE) == "ä"

    @given(TEXTS, st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    def test_every_text_is_read_back(self, text: str, context: str) -> None:
        assert KEYRING.decrypt(KEYRING.encrypt(text, context=context), context=context) == text

    def test_no_nonce_is_used_twice(self) -> None:
        assert len({parts_of(KEYRING.encrypt("a", context=PLACE))[1][:12] for _ in range(1000)}) == 1000

    def test_texts_that_are_too_long_and_lone_surrogates(self) -> None:
        KEYRING.encrypt("a" * MAX_VALUE_BYTES, context=PLACE)
        for text in ("a" * (MAX_VALUE_BYTES + 1), "ä" * MAX_VALUE_BYTES):
            with pytest.raises(EncryptionError, match="longer than"):
                KEYRING.encrypt(text, context=PLACE)
        with pytest.raises(EncryptionError, match="lone surrogates"):
            KEYRING.encrypt("\ud800", context=PLACE)


class TestTampering:
    @given(st.integers(0), st.integers(1, 255))
    def test_one_changed_byte(self, position: int, difference: int) -> None:
        prefix, sealed = parts_of(KEYRING.encrypt("secret", context=PLACE))
        changed = bytearray(sealed)
        changed[position % len(changed)] ^= difference
        with pytest.raises(TamperedValueError):
            KEYRING.decrypt(f"{prefix}.{base64.urlsafe_b64encode(changed).rstrip(b'=').decode()}", context=PLACE)

    @given(st.integers(0, 70))
    def test_truncated(self, length: int) -> None:
        value = KEYRING.encrypt("secret", context=PLACE)
        with pytest.raises(TamperedValueError):
            KEYRING.decrypt(value[: length % len(value)], context=PLACE)

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        for value in (text, f"v1.{text}", f"v1.k1.{text}"):
            with pytest.raises(EncryptionError):
                KEYRING.decrypt(value, context=PLACE)

    @pytest.mark.parametrize(
        "context", ["", "users.tax_number/2", "users.tax_numbe", f"{PLACE} ", "other.tax_number/1"]
    )
    def test_another_place(self, context: str) -> None:
        value = KEYRING.encrypt("secret", context=PLACE)
        with pytest.raises(TamperedValueError, match="moved from another place"):
            KEYRING.decrypt(value, context=context)

    @pytest.mark.parametrize(
        "change", [lambda it: it + "=", lambda it: it + "A", lambda it: " " + it, lambda it: it + "\n"]
    )
    def test_other_spellings_of_the_same_value(self, change: object) -> None:
        assert callable(change)
        with pytest.raises(TamperedValueError):
            KEYRING.decrypt(change(KEYRING.encrypt("secret", context=PLACE)), context=PLACE)

    def test_the_id_of_another_key_with_the_same_secret(self) -> None:
        value = Keyring([EncryptionKey("k3", KEY.secret)]).encrypt("secret", context=PLACE)
        with pytest.raises(TamperedValueError):
            KEYRING.decrypt(value.replace("v1.k3.", "v1.k1."), context=PLACE)


class TestKeys:
    def test_the_first_encrypts_and_all_decrypt(self) -> None:
        value = KEYRING.encrypt("secret", context=PLACE)
        both = Keyring([OTHER, KEY])

        assert both.decrypt(value, context=PLACE) == "secret"
        assert both.encrypt("secret", context=PLACE).startswith(both.current_prefix)
        assert both.current_prefix == "v1.k2."

    def test_an_unknown_key_is_named(self) -> None:
        value = Keyring([OTHER]).encrypt("secret", context=PLACE)
        with pytest.raises(UnknownKeyError, match="the key 'k2', which is not among") as raised:
            KEYRING.decrypt(value, context=PLACE)
        assert raised.value.key_id == "k2"

    @pytest.mark.parametrize(
        ("keys", "reason"),
        [
            ([], "at least one"),
            ([KEY, EncryptionKey("k1", OTHER.secret)], "same id"),
            ([KEY, EncryptionKey("k2", KEY.secret)], "same secret"),
        ],
    )
    def test_a_keyring_is_checked(self, keys: list[EncryptionKey], reason: str) -> None:
        with pytest.raises(InvalidKeyError, match=reason):
            Keyring(keys)

    @given(st.binary(min_size=32, max_size=32))
    def test_are_read_as_they_are_written(self, secret: bytes) -> None:
        key = EncryptionKey("2026-11", secret)

        assert EncryptionKey.parse(str(key)) == key
        assert EncryptionKey.parse(f"2026-11:{base64.urlsafe_b64encode(secret).rstrip(b'=').decode()}") == key

    @given(st.text())
    def test_any_text_is_a_key_or_refused(self, text: str) -> None:
        for value in (text, f"id:{text}"):
            with pytest.raises(InvalidKeyError):
                EncryptionKey.parse(value)

    def test_generated(self) -> None:
        assert EncryptionKey.generate("a") != EncryptionKey.generate("a")
