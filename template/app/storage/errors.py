"""Errors of uploads."""

import math
from datetime import timedelta

from app.core.errors import AppError, ConflictError, PayloadTooLargeError


class FileTooLargeError(PayloadTooLargeError):
    """The file is larger than MAX_UPLOAD_SIZE."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"A file may have at most {limit} bytes.", details={"limit": limit})


class StorageQuotaError(PayloadTooLargeError):
    """The user's files would exceed STORAGE_MAX_BYTES_PER_USER."""

    code = "STORAGE_QUOTA_EXCEEDED"

    def __init__(self, *, limit: int, used: int) -> None:
        super().__init__(
            f"Your files may take up {limit} bytes, pending uploads included; {used} are in use. Delete files first.",
            details={"limit": limit, "used": used},
        )


class TooManyPendingUploadsError(AppError):
    """The user has STORAGE_MAX_PENDING_UPLOADS uploads that are neither confirmed nor deleted."""

    status = 429
    code = "TOO_MANY_PENDING_UPLOADS"

    def __init__(self, limit: int, *, retry_after: timedelta) -> None:
        seconds = max(1, math.ceil(retry_after.total_seconds()))
        super().__init__(
            f"You have {limit} pending uploads. Confirm or delete one, or wait until one expires.",
            details={"limit": limit, "retry_after": seconds},
            headers={"Retry-After": str(seconds)},
        )


class UploadMissingError(ConflictError):
    """Nothing has been uploaded yet."""

    code = "UPLOAD_MISSING"

    def __init__(self) -> None:
        super().__init__("The file has not been uploaded. Send the request from upload-url, then confirm.")


class UploadMismatchError(ConflictError):
    """The uploaded content doesn't match the announced size or type, and has been removed."""

    code = "UPLOAD_MISMATCH"

    def __init__(self, reason: str) -> None:
        super().__init__(f"{reason} The upload has been removed. Request a new upload-url.")
