"""What goes on without anybody waiting: objects and rows that have to go, together, however often it takes."""

from datetime import timedelta
from typing import Final
from uuid import UUID

import structlog

from app.core.db.models import utc_now
from app.core.runtime import Runtime
from app.storage.keys import ROOT
from app.storage.port import StorageUnavailableError
from app.storage.repository import FileRepository
from app.storage.service import get_storage_service

logger = structlog.stdlib.get_logger(__name__)

BATCH: Final = 100
ORPHAN_AGE: Final = timedelta(days=1)
"""How old an object without a row has to be: older than every link, since its row may only just be written."""


async def delete_file(runtime: Runtime, id_: str) -> None:
    """Deletes the object of a file that its owner is rid of, and then its row. May be repeated."""
    async with runtime.database.reading() as session:
        key = await FileRepository(session).deleting_key(UUID(id_))
    if key is None:
        return
    await get_storage_service(runtime).delete(key)
    async with runtime.database.transaction() as session:
        await FileRepository(session).forget(UUID(id_))


async def sweep_files(runtime: Runtime) -> None:
    """Deletes uploads that nobody has confirmed in time, and what an earlier deletion has left half done."""
    while True:
        async with runtime.database.reading() as session:
            ids = await FileRepository(session).due(BATCH)
        for id_ in ids:
            async with runtime.database.transaction() as session:
                claimed = await FileRepository(session).claim_due(id_)
            if not claimed:
                continue
            try:
                await delete_file(runtime, str(id_))
            except StorageUnavailableError:
                # It is due again in a few minutes; the others would fare no better now.
                logger.warning("file_sweep_interrupted")
                return
        if len(ids) < BATCH:
            return


async def remove_orphans(runtime: Runtime) -> None:
    """Deletes objects that no row knows: sent with a link that was still good when its file was deleted."""
    storage = get_storage_service(runtime)
    removed = 0
    async for objects in storage.list_files(ROOT):
        old = [item.key for item in objects if item.modified_at < utc_now() - ORPHAN_AGE]
        if not old:
            continue
        async with runtime.database.reading() as session:
            known = await FileRepository(session).known_keys(old)
        for key in old:
            if key not in known:
                await storage.delete(key)
                removed += 1
    logger.info("orphans_removed", count=removed)
