"""A mail server on the loopback interface that insists on the protocol (RFC 5321, 3207, 4954)."""

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

from tests.email.mailbox import Mail

USERNAME: Final = "mailer"
PASSWORD: Final = "pass word@1"
LONGEST_LINE: Final = 998
MAIL_FROM: Final = re.compile(r"MAIL FROM:<([^<>\s]+)>( \S+)*")
RCPT_TO: Final = re.compile(r"RCPT TO:<([^<>\s]+)>")


class _BrokenOffError(Exception):
    """The server ends the conversation."""


@dataclass
class _Conversation:
    connection: socket.socket
    reader: BinaryIO
    greeted: bool = False
    encrypted: bool = False
    known: bool = False
    sender: str = ""
    recipients: list[str] = field(default_factory=list)

    def encrypt(self, context: ssl.SSLContext) -> None:
        self.reader.close()
        self.connection = context.wrap_socket(self.connection, server_side=True)
        self.reader = self.connection.makefile("rb")
        self.encrypted, self.greeted = True, False

    def line(self) -> bytes:
        """Up to a line feed, whatever is before it."""
        raw = self.reader.readline()
        if not raw.endswith(b"\r\n"):
            raise _BrokenOffError
        return raw

    def say(self, reply: str) -> None:
        self.connection.sendall(f"{reply}\r\n".encode())

    def close(self) -> None:
        self.reader.close()
        self.connection.close()


class FakeSmtp:
    """Takes mail from who has logged in, over TLS only. It is a thread of its own, as other machines are.

    Args:
        context: with its certificate.
        implicit: whether it speaks TLS from the first byte.
    """

    def __init__(self, context: ssl.SSLContext | None, *, implicit: bool = False) -> None:
        self.mails: list[Mail] = []
        self.envelopes: list[tuple[str, list[str]]] = []
        self.raw: list[bytes] = []
        self.attempts = 0
        self.connections = 0
        self.commands: list[str] = []
        self.replies: dict[str, str] = {}
        """What it says to a verb instead of what it would, such as `{"DATA": "452 full"}`."""
        self._context = context
        self._implicit = implicit
        self._busy = 0
        self._losing = 0
        self._refused: set[str] = set()
        self._password = PASSWORD
        self._server: socketserver.ThreadingTCPServer | None = None
        self.port = 0

    def start(self) -> None:
        """Listens."""
        fake = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                fake.serve(self.request)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", self.port), Handler)
        # A client that hangs up does so in the thread that stops the server: it is not waited for there.
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

    def lose_answers(self, times: int) -> None:
        """See `FakeProvider.lose_answers`."""
        self._losing = times

    def refuse(self, address: str) -> None:
        """See `FakeProvider.refuse`."""
        self._refused.add(address)

    def refuse_credentials(self) -> None:
        """See `FakeProvider.refuse_credentials`."""
        self._password = "changed"

    def serve(self, connection: socket.socket) -> None:
        """Talks to one client until one of the two hangs up."""
        self.connections += 1
        talk = _Conversation(connection, connection.makefile("rb"))
        try:
            if self._implicit and self._context is not None:
                talk.encrypt(self._context)
            self._converse(talk)
        except (_BrokenOffError, OSError):
            # Whoever hangs up, the server or the client, that was all.
            pass
        finally:
            talk.close()

    def _converse(self, talk: _Conversation) -> None:
        talk.say("220 mail.test ESMTP")
        while True:
            line = talk.line()[:-2].decode("ascii")
            verb = line.split(" ")[0].upper()
            self.commands.append(verb)
            if verb in self.replies:
                talk.say(self.replies[verb])
                continue
            self._answer(talk, verb, line)

    def _answer(self, talk: _Conversation, verb: str, line: str) -> None:
        match verb:
            case "EHLO":
                self._greet(talk)
            case "STARTTLS" if self._context is not None and not talk.encrypted:
                talk.say("220 go ahead")
                talk.encrypt(self._context)
            case "AUTH" if talk.greeted and (talk.encrypted or self._context is None):
                self._authenticate(talk, line)
            case "MAIL" | "RCPT" | "DATA" if not talk.known:
                talk.say("530 5.7.0 authentication required")
            case "MAIL":
                self._mail(talk, line)
            case "RCPT" if talk.sender:
                self._recipient(talk, line)
            case "DATA" if talk.recipients:
                self._data(talk)
            case "RSET":
                talk.sender, talk.recipients = "", []
                talk.say("250 ok")
            case "QUIT":
                talk.say("221 bye")
                raise _BrokenOffError
            case _:
                talk.say("503 5.5.1 not now")

    def _greet(self, talk: _Conversation) -> None:
        talk.greeted = True
        offers = ["mail.test", "SIZE 10000000"]
        if self._context is not None and not talk.encrypted:
            offers.append("STARTTLS")
        if talk.encrypted or self._context is None:
            offers.append("AUTH PLAIN")
        talk.say("\r\n".join([*(f"250-{offer}" for offer in offers), "250 PIPELINING"]))

    def _authenticate(self, talk: _Conversation, line: str) -> None:
        _, method, response = line.split(" ")
        _, username, password = base64.b64decode(response).decode().split("\0")
        talk.known = (method, username, password) == ("PLAIN", USERNAME, self._password)
        talk.say("235 welcome" if talk.known else "535 5.7.8 wrong")

    def _mail(self, talk: _Conversation, line: str) -> None:
        self.attempts += 1
        found = MAIL_FROM.fullmatch(line)
        if self._busy:
            self._busy -= 1
            talk.say("421 4.3.2 closing, come back later")
            raise _BrokenOffError
        talk.sender = found[1] if found else ""
        talk.say("250 ok" if found else "501 5.5.4 syntax")

    def _recipient(self, talk: _Conversation, line: str) -> None:
        found = RCPT_TO.fullmatch(line)
        if found is None or found[1] in self._refused:
            talk.say("550 5.1.1 no such user")
            return
        talk.recipients.append(found[1])
        talk.say("250 ok")

    def _data(self, talk: _Conversation) -> None:
        talk.say("354 go on")
        content = b""
        while (line := talk.line()) != b".\r\n":
            if len(line) > LONGEST_LINE + 2 or b"\r" in line[:-2]:
                talk.say("500 5.6.0 bare line break, or too long a line")
                raise _BrokenOffError
            content += line.removeprefix(b".")
        self._keep(talk, content)
        if self._losing:
            self._losing -= 1
            raise _BrokenOffError
        talk.say("250 2.0.0 taken")

    def _keep(self, talk: _Conversation, content: bytes) -> None:
        self.raw.append(content)
        self.envelopes.append((talk.sender, talk.recipients))
        self.mails.append(read_mail(content))
        talk.sender, talk.recipients = "", []


def read_mail(content: bytes) -> Mail:
    """A mail as a program for reading mail shows it."""
    mail = BytesParser(EmailMessage, policy=policy).parsebytes(content)
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    return Mail(
        to=str(mail["To"]),
        sender=str(mail["From"]),
        subject=str(mail["Subject"]),
        text=text.get_content().replace("\r\n", "\n"),
        html=None if html is None else html.get_content().replace("\r\n", "\n"),
        reply_to=mail["Reply-To"] and str(mail["Reply-To"]),
        id=str(mail["Message-ID"]),
    )


@contextmanager
def receiving(context: ssl.SSLContext | None, *, implicit: bool = False) -> Iterator[FakeSmtp]:
    """A server that is up for the block."""
    server = FakeSmtp(context, implicit=implicit)
    server.start()
    try:
        yield server
    finally:
        server.stop()
