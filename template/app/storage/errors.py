"""What can be wrong with an upload."""

from app.core.errors import ConflictError, PayloadTooLargeError


class FileTooLargeError(PayloadTooLargeError):
    """The file is larger than MAX_UPLOAD_SIZE."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"A file may have at most {limit} bytes.", details={"limit": limit})


class UploadMissingError(ConflictError):
    """There is nothing to confirm yet."""

    code = "UPLOAD_MISSING"

    def __init__(self) -> None:
        super().__init__("The file has not been uploaded. Send it with the request of its upload-url, then confirm.")


class UploadMismatchError(ConflictError):
    """What was uploaded is not what was announced; it has been removed."""

    code = "UPLOAD_MISMATCH"

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} The upload was removed; ask for a new upload-url.")
