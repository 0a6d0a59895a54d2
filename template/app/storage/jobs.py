"""Background deletion of objects and their rows. Every job may be repeated."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from app.core.db.models import utc_now
from app.core.ports.queue import UuidText
from app.core.runtime import Runtime
from app.storage.keys import ROOT
from app.storage.models import FileStatus
from app.storage.object_store import LINK_LIFETIME, get_object_store
from app.storage.port import StorageUnavailableError
from app.storage.repository import FileRepository

logger = structlog.stdlib.get_logger(__name__)

BATCH_SIZE: Final = 100
ORPHAN_AGE: Final = timedelta(days=1)
"""Minimum age of an object without a row to be removed. Longer than every link, since its row may be a moment old."""


async def delete_file(runtime: Runtime, id_: UuidText) -> None:
    """Delete the object of a file that is marked as being deleted, then its row."""
    async with runtime.database.reading() as session:
        file = await FileRepository(session).by_id(UUID(id_), FileStatus.DELETING)
    if file is None:
        return
    store = get_object_store(runtime)
    await store.delete(file.key)
    link_expiry = file.created_at + LINK_LIFETIME
    is_final = store.rejects_spent_links or file.owner_id is None or link_expiry <= utc_now()
    async with runtime.database.transaction() as session:
        if is_final:
            await FileRepository(session).remove(file.id)
        else:
            # To a bucket, the key is free again: until its link expires, the client can store another object.
            await FileRepository(session).delete_again_at(file.id, link_expiry)


async def sweep_files(runtime: Runtime) -> None:
    """Delete expired files, and retry unfinished deletions."""
    while True:
        async with runtime.database.reading() as session:
            ids = await FileRepository(session).due(BATCH_SIZE)
        for id_ in ids:
            async with runtime.database.transaction() as session:
                claimed = await FileRepository(session).claim_due(id_)
            if not claimed:
                continue
            try:
                await delete_file(runtime, str(id_))
            except StorageUnavailableError:
                # The other files would fail as well. All are due again in a few minutes.
                logger.warning("file_sweep_interrupted")
                return
        if len(ids) < BATCH_SIZE:
            return


async def remove_orphans(runtime: Runtime) -> None:
    """Delete old objects without a row, such as one that was uploaded after its file had been deleted."""
    store = get_object_store(runtime)
    removed = 0
    async for objects in store.list_files(ROOT):
        old = [item.key for item in objects if item.modified_at < utc_now() - ORPHAN_AGE]
        if not old:
            continue
        async with runtime.database.reading() as session:
            known = await FileRepository(session).known_keys(old)
        for key in old:
            if key not in known:
                await store.delete(key)
                removed += 1
    logger.info("orphans_removed", count=removed)
