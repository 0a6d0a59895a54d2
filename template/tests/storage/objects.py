"""Helpers that read a store."""

from app.storage.object_store import ObjectStore


async def content(storage: ObjectStore, key: str, *, first: int | None = None) -> bytes:
    """Return the content of an object, or its start."""
    return b"".join([piece async for piece in storage.download(key, first=first)])


async def keys(storage: ObjectStore, prefix: str) -> list[str]:
    """Return the keys in a folder."""
    return sorted([item.key async for batch in storage.list_files(prefix) for item in batch])
