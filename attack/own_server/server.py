"""The files and settings of a server, and the commands that run there. Part of `scenario.py`."""

import asyncio
import json
import os
import secrets
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import asyncpg
import jwt
from own_server.load import Target

DOMAIN: Final = "api.example.test"
ISSUER: Final = "https://issuer.example.test"
URL: Final = f"https://{DOMAIN}"


class Failed(SystemExit):
    """Something did not happen as it has to."""


def require(condition: object, message: str) -> None:
    """Fail unless the condition is met."""
    if not condition:
        raise Failed(f"FAILED: {message}")


def say(text: str) -> None:
    """Print a line of the report."""
    sys.stdout.write(f"{time.strftime('%H:%M:%S')} {text}\n")
    sys.stdout.flush()


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """The server's folder, and the environment of its commands."""

    folder: Path
    environment: Mapping[str, str]
    database: str

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """Start a command of `own-server/deploy`."""
        return await asyncio.create_subprocess_exec(
            self.folder / "own-server" / "deploy",
            *arguments,
            cwd="/",
            env=dict(self.environment),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )

    async def run(self, *arguments: str, code: int = 0, steps: Mapping[str, asyncio.Event] | None = None) -> str:
        """Run a command of `own-server/deploy` to its end, and return its output.

        Args:
            steps: events that are set when a line with the text is printed.
        """
        process, text = await self.start(*arguments), ""
        assert process.stdout is not None  # noqa: S101 - a pipe, above
        async for line in process.stdout:
            text += line.decode(errors="replace")
            for step, event in (steps or {}).items():
                if step in text:
                    event.set()
        require(await process.wait() == code, f"deploy {arguments} exited with {process.returncode}:\n{text}")
        return text

    async def scalar(self, query: str) -> object:
        """Return the value of a query."""
        connection = await asyncpg.connect(self.database)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()


def certificate(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority and a certificate for the domain; return the authority's, the domain's, and its key."""
    names = ("ca.pem", "ca.key", "req.pem", "key.pem", "cert.pem")
    ca, ca_key, request, key, signed = (folder / name for name in names)
    extension = folder / "extension"
    extension.write_text(f"subjectAltName=DNS:{DOMAIN}\n")
    new = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    commands = (
        [*new, "-x509", "-days", "2", "-subj", "/CN=Test CA", "-keyout", str(ca_key), "-out", str(ca)],
        [*new, "-subj", f"/CN={DOMAIN}", "-keyout", str(key), "-out", str(request)],
        [
            *("openssl", "x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca_key), "-days", "1"),
            *("-extfile", str(extension), "-out", str(signed)),
        ],
    )
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    return ca, signed, key


def prepare(project: Path, work: Path, urls: Mapping[str, str]) -> tuple[Server, Target]:
    """Write the server's files as docs/deploy-own-server.md says."""
    folder = work / "server"
    folder.mkdir()
    shutil.copytree(project / "own-server", folder / "own-server")
    shutil.copy2(project / "compose.production.yaml", folder)
    ca, signed, key = certificate(work)
    certificates = folder / "own-server" / "caddy" / "certificates"
    certificates.mkdir()
    (certificates / "own.caddy").write_text(f"tls {signed} {key}\n")
    secret = secrets.token_hex(32)
    settings = {
        "ENVIRONMENT": "production",
        "PROJECT_NAME": "Served",
        "SERVER_DOMAIN": DOMAIN,
        "SERVER_IMAGE": "registry.example.test/served",
        "SECRET_KEY": secret,
        "OAUTH_ISSUER": ISSUER,
        "OAUTH_AUDIENCE": "served",
        "POSTGRES_PASSWORD": secrets.token_hex(16),
        "REDIS_PASSWORD": secrets.token_hex(16),
        "METRICS_TOKEN": secrets.token_hex(32),
        "OPENAI_API_KEY": "key",
        "OPENAI_BASE_URL": f"{urls['ai']}/v1",
        "RATE_LIMIT_DEFAULT": "1000000/minute",
        "RATE_LIMIT_AI": "1000000/minute",
        "STORAGE_PROVIDER": "local",
        # Shorter than by default, to save time.
        "HTTP_DRAIN_DELAY": "3",
        "SERVER_WORKERS": "1",
    }
    (folder / ".env").write_text("".join(f"{name}='{value}'\n" for name, value in settings.items()))
    files = work / "files"
    files.mkdir()
    (work / "backups").mkdir()
    overrides = {"DATABASE_URL": urls["database"], "REDIS_URL": urls["redis"], "STORAGE_LOCAL_PATH": str(files)}
    overrides["BACKUP_DIR"] = str(work / "backups")
    (work / "environment.json").write_text(json.dumps(overrides))
    environment = {
        "PATH": f"{work / 'bin'}:{os.environ['PATH']}",
        "HOME": str(work),
        "STAND_IN_DIR": str(work),
        "SMOKE_TEST_CA": str(ca),
        "READY_TIMEOUT": "60",
    }
    claims = {"iss": ISSUER, "aud": "served", "sub": "ann", "email": "ann@example.com", "email_verified": True}
    now = int(time.time())
    token = jwt.encode(claims | {"iat": now, "exp": now + 3600}, secret, algorithm="HS256")
    target = Target(url=URL, token=token, tls=ssl.create_default_context(cafile=ca))
    return Server(folder=folder, environment=environment, database=urls["plain"]), target
