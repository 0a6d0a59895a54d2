"""A disk that becomes full while the application writes to it: nothing more fits into a file (RLIMIT_FSIZE)."""

import resource
import sys
import tempfile
from pathlib import Path

from attack.files import upload
from attack.servers import CREATED, OK, Target, send, serve, unused_port

LIMIT = 128 * 1024
"""Bytes that a file may have. The error is EFBIG in place of ENOSPC; no privileges are needed, unlike for a mount."""
SMALL, LARGE = b"%PDF-1.7\n" + b" " * 1000, b"%PDF-1.7\n" + b" " * (4 * LIMIT)
STORAGE_FULL = 507
UPLOADED = {OK, CREATED, 204}


def fill_disk(target: Target) -> list[str]:
    """Upload files of all sizes to a full disk. Return what failed."""
    with tempfile.TemporaryDirectory(prefix="omnistack-disk-") as temporary:
        files, log = Path(temporary) / "files", Path(temporary) / "server.log"
        own = {"STORAGE_PROVIDER": "local", "STORAGE_LOCAL_PATH": str(files), "STORAGE_LOCAL_MIN_FREE": "0"}
        with serve(target.project, target.environment | own, port=unused_port(), log=log) as (url, process):
            unlimited = resource.prlimit(process, resource.RLIMIT_FSIZE)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (LIMIT, unlimited[1]))
            full = [_upload(url, target.user, content) for content in (LARGE, SMALL, LARGE)]
            ready, _ = send("GET", f"{url}/api/v1/public/health/ready", headers={})
            left = [path.name for path in (files / ".partial").glob("*")]
            resource.prlimit(process, resource.RLIMIT_FSIZE, unlimited)
            afterwards = _upload(url, target.user, LARGE)
        text = log.read_text(encoding="utf-8", errors="replace")
    codes = [status for status, _ in (*full, afterwards)]
    sys.stdout.write(f"full disk: uploads answered with {codes}, ready {ready}, {len(left)} partial files left\n")
    failed = []
    if full[0] != full[2] or full[0] != (STORAGE_FULL, "STORAGE_FULL"):
        failed.append(f"full disk: a file that does not fit was answered with {full[0]} and {full[2]}")
    if full[1][0] not in UPLOADED or afterwards[0] not in UPLOADED:
        failed.append(f"full disk: files that fit were answered with {full[1]} and {afterwards}")
    if left:
        failed.append(f"full disk: unfinished uploads are left: {left}")
    if ready != OK:
        failed.append(f"full disk: readiness answered with {ready}")
    if "Traceback (most recent call last)" in text or "unhandled" in text:
        failed.append(f"full disk: the server's log has an unhandled error:\n{text[-2000:]}")
    return failed


def _upload(url: str, token: str, content: bytes) -> tuple[int, str]:
    """Upload a file. Return the last status, and the code of an error."""
    status, body = upload(url, token, content)
    return status, str(body.get("error", {}).get("code", ""))
