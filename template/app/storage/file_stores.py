"""The storage implementation of the `FileStores` port, for pieces that work on all files at once."""

from contextlib import AbstractAsyncContextManager
from functools import partial

from app.core.config.provider_selection import missing_settings
from app.core.ports.file_stores import FileStore, FileStores
from app.core.runtime import Runtime
from app.storage.port import LOCAL, StorageProviderSpec
from app.storage.providers.registry import PROVIDERS
from app.storage.settings import StorageSettings


def selected(runtime: Runtime) -> StorageProviderSpec:
    """Return the selected provider."""
    name = runtime.resource(StorageSettings).STORAGE_PROVIDER
    return next(provider for provider in PROVIDERS if provider.name == name)


def provide_file_stores(runtime: Runtime) -> None:
    """Provide the stores, none of them open, as a resource of the runtime."""
    provider = selected(runtime)
    buckets = [spec.open_bucket for spec in PROVIDERS if spec.open_bucket and not missing_settings(spec.settings)]

    def open_store() -> AbstractAsyncContextManager[FileStore]:
        return provider.open(runtime)

    stores = FileStores(
        name=provider.name,
        is_local=provider.name == LOCAL,
        open=open_store,
        open_bucket=partial(buckets[0], runtime) if buckets else None,
    )
    runtime.provide(FileStores, stores)
