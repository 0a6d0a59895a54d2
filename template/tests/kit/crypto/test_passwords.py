"""Password hashes."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from pwdlib.hashers.argon2 import Argon2Hasher
from pydantic import SecretStr

from app.kit.crypto.passwords import (
    MAX_PASSWORD_BYTES,
    HashingTimeoutError,
    PasswordHasher,
    PasswordTooLongError,
    UnknownPasswordHashError,
)

PASSWORD = SecretStr("correct horse battery staple")
WRONG = SecretStr("wrong")


@pytest.fixture
def hasher() -> Iterator[PasswordHasher]:
    """A hasher with one thread."""
    made = PasswordHasher(threads=1)
    yield made
    made.close()


class TestHash:
    async def test_has_the_parameters_of_owasp(self, hasher: PasswordHasher) -> None:
        hashed = await hasher.hash(PASSWORD)

        assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert (await hasher.verify(PASSWORD, hashed)).valid
        assert (await hasher.verify(PASSWORD, hashed)).new_hash is None
        assert not (await hasher.verify(WRONG, hashed)).valid

    async def test_equal_passwords_have_different_hashes(self, hasher: PasswordHasher) -> None:
        assert await hasher.hash(PASSWORD) != await hasher.hash(PASSWORD)

    @pytest.mark.parametrize(
        "hashed",
        [
            # From the tests of the reference implementation of RFC 9106, for the password "password"
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        ],
    )
    async def test_known_answers_and_rehash(self, hasher: PasswordHasher, hashed: str) -> None:
        check = await hasher.verify(SecretStr("password"), hashed)

        assert check.valid
        assert check.new_hash is not None
        assert check.new_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
        assert (await hasher.verify(SecretStr("password"), check.new_hash)).valid
        assert not (await hasher.verify(WRONG, hashed)).valid
        assert "argon2" not in repr(check)

    async def test_the_same_character_in_two_encodings_is_the_same(self, hasher: PasswordHasher) -> None:
        composed, decomposed = SecretStr("caf\u00e9"), SecretStr("cafe\u0301")

        assert (await hasher.verify(decomposed, await hasher.hash(composed))).valid

    @pytest.mark.parametrize("password", ["", "\0", "\ud800", "a\0b", "😀" * 256])
    async def test_unusual_passwords(self, hasher: PasswordHasher, password: str) -> None:
        hashed = await hasher.hash(SecretStr(password))

        assert (await hasher.verify(SecretStr(password), hashed)).valid
        assert not (await hasher.verify(SecretStr(password + "a"), hashed)).valid


class TestLength:
    @pytest.mark.parametrize("password", ["a" * (MAX_PASSWORD_BYTES + 1), "ä" * 513, "a" * 100_000_000])
    async def test_long_ones_are_refused_before_any_work(self, hasher: PasswordHasher, password: str) -> None:
        hashed = await hasher.hash(PASSWORD)
        hasher.close()

        with pytest.raises(PasswordTooLongError):
            await hasher.hash(SecretStr(password))
        assert not (await hasher.verify(SecretStr(password), hashed)).valid

    async def test_the_longest(self, hasher: PasswordHasher) -> None:
        # The compatibility form of this character has 18 others.
        longest = SecretStr("\ufdfa" * (MAX_PASSWORD_BYTES // 3))

        assert (await hasher.verify(longest, await hasher.hash(longest))).valid


class TestStoredHash:
    async def test_without_one_the_check_fails_and_takes_as_long(self, hasher: PasswordHasher) -> None:
        hashed = await hasher.hash(PASSWORD)
        took: dict[str | None, list[float]] = {hashed: [], None: []}
        for stored, times in 5 * list(took.items()):
            started = time.perf_counter()
            assert not (await hasher.verify(WRONG, stored)).valid
            times.append(time.perf_counter() - started)

        # The fastest of each: other processes slow some down.
        assert 0.5 < min(took[None]) / min(took[hashed]) < 2

    @pytest.mark.parametrize(
        "stored", ["plain", "$2b$12$abcdefghijklmnopqrstuu", "$argon2id$", "é", "$argon2id$v=19$m=19456,t=2,p=1$é$é"]
    )
    async def test_another_value_is_an_error_that_does_not_show_it(self, hasher: PasswordHasher, stored: str) -> None:
        with pytest.raises(UnknownPasswordHashError) as raised:
            await hasher.verify(PASSWORD, stored)
        assert stored not in str(raised.value)
        assert raised.value.__cause__ is None

    async def test_a_damaged_hash_is_an_error(self, hasher: PasswordHasher) -> None:
        hashed = await hasher.hash(PASSWORD)
        shortened = [hashed[:length] for length in range(len(hashed))]
        parameters = [
            hashed.replace("m=19456", "m=99999999"),
            hashed.replace("t=2", "t=0"),
            hashed.replace("p=1", "p=0"),
        ]
        for stored in (*shortened, *parameters, f"{hashed}A", f"{hashed} ", hashed.replace("$v=19", "$v=99")):
            with pytest.raises(UnknownPasswordHashError):
                await hasher.verify(PASSWORD, stored)

    async def test_a_shortened_hash_of_another_system_is_an_error(self, hasher: PasswordHasher) -> None:
        imported = Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1, hash_len=16).hash("secret")
        assert (await hasher.verify(SecretStr("secret"), imported)).new_hash is not None
        assert not (await hasher.verify(WRONG, imported)).valid
        with pytest.raises(UnknownPasswordHashError):
            await hasher.verify(SecretStr("secret"), imported[:-1])

    async def test_older_kinds_are_replaced_on_login(self) -> None:
        class Reversed(Argon2Hasher):
            """Another kind of hash."""

            @classmethod
            def identify(cls, hash: str | bytes) -> bool:  # noqa: A002 - the library's name
                return str(hash).startswith("reversed:")

            def verify(self, password: str | bytes, hash: str | bytes) -> bool:  # noqa: A002 - the library's name
                assert isinstance(password, bytes)
                return f"reversed:{password.decode()[::-1]}" == hash

        hasher = PasswordHasher(older=[Reversed()])
        check = await hasher.verify(SecretStr("abc"), "reversed:cba")

        assert check.valid
        assert check.new_hash is not None
        assert check.new_hash.startswith("$argon2id$")
        assert not (await hasher.verify(WRONG, "reversed:cba")).valid
        hasher.close()


class TestParallel:
    async def test_the_event_loop_stays_responsive(self) -> None:
        hasher = PasswordHasher(threads=2)
        started = before = time.perf_counter()
        longest = 0.0
        work = asyncio.gather(*(hasher.hash(PASSWORD) for _ in range(12)))
        while not work.done():
            await asyncio.sleep(0.001)
            now = time.perf_counter()
            longest, before = max(longest, now - before), now
        hasher.close()

        assert longest < (time.perf_counter() - started) / 2

    async def test_the_number_of_concurrent_hashes_is_limited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        running, most = 0, 0

        def count(self: Argon2Hasher, password: str | bytes, *, salt: bytes | None = None) -> str:  # noqa: ARG001
            nonlocal running, most
            running += 1
            most = max(most, running)
            time.sleep(0.01)
            running -= 1
            return "hash"

        monkeypatch.setattr(Argon2Hasher, "hash", count)
        hasher = PasswordHasher(threads=2)
        await asyncio.gather(*(hasher.hash(PASSWORD) for _ in range(10)))
        hasher.close()

        assert most == 2

    async def test_the_wait_has_a_deadline_that_empties_the_queue(self, monkeypatch: pytest.MonkeyPatch) -> None:
        started, gate = list[bytes | str](), threading.Event()

        def wait(self: Argon2Hasher, password: str | bytes, *, salt: bytes | None = None) -> str:  # noqa: ARG001
            started.append(password)
            gate.wait(10)
            return "hash"

        monkeypatch.setattr(Argon2Hasher, "hash", wait)
        hasher = PasswordHasher(threads=1, timeout=0.3)
        results = await asyncio.gather(*(hasher.hash(PASSWORD) for _ in range(50)), return_exceptions=True)
        gate.set()

        assert [type(result) for result in results] == 50 * [HashingTimeoutError]
        assert await hasher.hash(WRONG) == "hash"
        assert started == [b"correct horse battery staple", b"wrong"]
        hasher.close()
