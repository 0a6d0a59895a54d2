"""Crypto: encrypted columns with rotating keys, and password hashes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from app.core.manifest import Module, modules_of
from app.core.runtime import Runtime
from app.crypto.columns import encrypting
from app.crypto.commands import crypto
from app.crypto.settings import CryptoSettings
from app.crypto.tables import check_columns
from app.kit.crypto.passwords import PasswordHasher


@asynccontextmanager
async def _lifespan(runtime: Runtime) -> AsyncIterator[None]:
    check_columns(modules_of(runtime))
    passwords = PasswordHasher()
    runtime.provide(PasswordHasher, passwords)
    try:
        with encrypting(runtime.database.engine, runtime.resource(CryptoSettings).keyring):
            yield
    finally:
        passwords.close()


module = Module(name="crypto", settings=(CryptoSettings,), lifespan=_lifespan, commands=(crypto,))
