"""A mail server on the loopback interface that enforces the protocol (RFC 5321, 3207, 4954)."""

import base64
import re
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default as policy
from typing import BinaryIO, Final

from app.email.port import Attachment
from tests.email.fake_provider import ReceivedEmail

USERNAME: Final = "mailer"
PASSWORD: Final = "pass word@1"
MAX_LINE: Final = 998
MAIL_FROM: Final = re.compile(r"MAIL FROM:<([^<>\s]+)>( \S+)*")
RCPT_TO: Final = re.compile(r"RCPT TO:<([^<>\s]+)>")


class _SessionClosedError(Exception):
    """The server or the client ends the session."""


@dataclass
class _Session:
    connection: socket.socket
    reader: BinaryIO
    greeted: bool = False
    encrypted: bool = False
    authenticated: bool = False
    sender: str = ""
    recipients: list[str] = field(default_factory=list)

    def encrypt(self, context: ssl.SSLContext) -> None:
        self.reader.close()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.reader = self.connection.makefile("rb")
        self.encrypted, self.greeted = True, False

    def line(self) -> bytes:
        """Read one line; a bare line feed ends the session."""
        raw = self.reader.readline()
        if not raw.endswith(b"\r\n"):
            raise _SessionClosedError
        return raw

    def reply(self, reply: str) -> None:
        self.connection.sendall(f"{reply}\r\n".encode())

    def close(self) -> None:
        self.reader.close()
        self.connection.close()


class FakeSmtp:
    """A server for authenticated clients over TLS. It runs in its own thread, like another machine.

    Args:
        context: has the server's certificate.
        implicit: whether connections use TLS from the first byte.
    """

    def __init__(self, context: ssl.SSLContext | None, *, implicit: bool = False) -> None:
        self.accepted: list[ReceivedEmail] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.raw: list[bytes] = []
        self.attempts = 0
        self.connections = 0
        self.commands: list[str] = []
        self.replies: dict[str, str] = {}
        """Fixed replies by verb, such as `{"DATA": "452 full"}`."""
        self._context = context
        self._implicit = implicit
        self._busy = 0
        self._losing = 0
        self._rejected: set[str] = set()
        self._password = PASSWORD
        self._server: socketserver.ThreadingTCPServer | None = None
        self.port = 0

    def start(self) -> None:
        """Start listening."""
        fake = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                fake.serve(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        # A client disconnects in the thread that stops the server, so the server does not wait for it.
        self._server.daemon_threads, self._server.block_on_close = True, False
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        """See `FakeProvider.stop`."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def be_busy(self, times: int) -> None:
        """See `FakeProvider.be_busy`."""
        self._busy = times

    def lose_replies(self, times: int) -> None:
        """See `FakeProvider.lose_replies`."""
        self._losing = times

    def reject(self, address: str) -> None:
        """See `FakeProvider.reject`."""
        self._rejected.add(address)

    def revoke_credentials(self) -> None:
        """See `FakeProvider.revoke_credentials`."""
        self._password = "changed"

    def serve(self, connection: socket.socket) -> None:
        """Serve one client until it or the server ends the session."""
        self.connections += 1
        session = _Session(connection, connection.makefile("rb"))
        try:
            if self._implicit and self._context is not None:
                session.encrypt(self._context)
            self._run(session)
        except (_SessionClosedError, OSError):
            # One of the two has closed the connection.
            pass
        finally:
            session.close()

    def _run(self, session: _Session) -> None:
        session.reply("220 mail.test ESMTP")
        while True:
            line = session.line()[:-2].decode("ascii")
            verb = line.split(" ")[0].upper()
            self.commands.append(verb)
            if verb in self.replies:
                session.reply(self.replies[verb])
                continue
            self._answer(session, verb, line)

    def _answer(self, session: _Session, verb: str, line: str) -> None:
        match verb:
            case "EHLO":
                self._greet(session)
            case "STARTTLS" if self._context is not None and not session.encrypted:
                session.reply("220 ready")
                session.encrypt(self._context)
            case "AUTH" if session.greeted and (session.encrypted or self._context is None):
                self._authenticate(session, line)
            case "MAIL" | "RCPT" | "DATA" if not session.authenticated:
                session.reply("530 5.7.0 authentication required")
            case "MAIL":
                self._mail(session, line)
            case "RCPT" if session.sender:
                self._recipient(session, line)
            case "DATA" if session.recipients:
                self._data(session)
            case "RSET":
                session.sender, session.recipients = "", []
                session.reply("250 ok")
            case "QUIT":
                session.reply("221 bye")
                raise _SessionClosedError
            case _:
                session.reply("503 5.5.1 bad sequence of commands")

    def _greet(self, session: _Session) -> None:
        session.greeted = True
        extensions = ["mail.test", "SIZE 10000000"]
        if self._context is not None and not session.encrypted:
            extensions.append("STARTTLS")
        if session.encrypted or self._context is None:
            extensions.append("AUTH PLAIN")
        session.reply("\r\n".join([*(f"250-{extension}" for extension in extensions), "250 PIPELINING"]))

    def _authenticate(self, session: _Session, line: str) -> None:
        _, method, response = line.split(" ")
        _, username, password = base64.b64decode(response).decode().split("\0")
        session.authenticated = (method, username, password) == ("PLAIN", USERNAME, self._password)
        session.reply("235 authenticated" if session.authenticated else "535 5.7.8 invalid credentials")

    def _mail(self, session: _Session, line: str) -> None:
        self.attempts += 1
        found = MAIL_FROM.fullmatch(line)
        if self._busy:
            self._busy -= 1
            session.reply("421 4.3.2 closing, come back later")
            raise _SessionClosedError
        session.sender = found[1] if found else ""
        session.reply("250 ok" if found else "501 5.5.4 syntax")

    def _recipient(self, session: _Session, line: str) -> None:
        found = RCPT_TO.fullmatch(line)
        if found is None or found[1] in self._rejected:
            session.reply("550 5.1.1 no such user")
            return
        session.recipients.append(found[1])
        session.reply("250 ok")

    def _data(self, session: _Session) -> None:
        session.reply("354 send data")
        content = b""
        while (line := session.line()) != b".\r\n":
            if len(line) > MAX_LINE + 2 or b"\r" in line[:-2]:
                session.reply("500 5.6.0 bare line break or line too long")
                raise _SessionClosedError
            content += line.removeprefix(b".")
        self._accept(session, content)
        if self._losing:
            self._losing -= 1
            raise _SessionClosedError
        session.reply("250 2.0.0 accepted")

    def _accept(self, session: _Session, content: bytes) -> None:
        self.raw.append(content)
        self.envelopes.append((session.sender, session.recipients))
        self.accepted.append(read_email(content))
        session.sender, session.recipients = "", []


def read_email(content: bytes) -> ReceivedEmail:
    """Parse an email as a mail client does."""
    mail = BytesParser(EmailMessage, policy=policy).parsebytes(content)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    return ReceivedEmail(
        to=str(mail["To"]),
        sender=str(mail["From"]),
        subject=str(mail["Subject"]),
        text=text.get_content().replace("\r\n", "\n"),
        html=None if html is None else html.get_content().replace("\r\n", "\n"),
        reply_to=mail["Reply-To"] and str(mail["Reply-To"]),
        id=str(mail["Message-ID"]),
        attachments=tuple(map(read_attachment, mail.iter_attachments())),
    )


def read_attachment(part: EmailMessage) -> Attachment:
    """Return a decoded attachment."""
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return Attachment(filename=part.get_filename() or "", content=content, content_type=part.get_content_type())


@contextmanager
def receiving(context: ssl.SSLContext | None, *, implicit: bool = False) -> Iterator[FakeSmtp]:
    """Run the server for the duration of the block."""
    server = FakeSmtp(context, implicit=implicit)
    server.start()
    try:
        yield server
    finally:
        server.stop()
