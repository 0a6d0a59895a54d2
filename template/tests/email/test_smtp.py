"""SMTP."""

import datetime as dt
import ipaddress
import ssl
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from structlog.testing import capture_logs

from app.email.errors import EmailRejectedError, EmailUnavailableError
from app.email.mailer import Mailer
from app.email.port import Message, Sender
from app.email.providers.smtp import SmtpEmail
from app.email.providers.smtp_url import parse_smtp_url
from tests.email.contract import ATTACHMENTS, TEXT
from tests.email.remote_contract import ADA, BOB, EVE, RemoteContract, RemoteProvider, send
from tests.fakes.smtp import PASSWORD, USERNAME, FakeSmtp, receiving

LOGIN = f"{USERNAME}:{quote(PASSWORD, safe='')}"


def certificate(folder: Path, host: str) -> Path:
    """Create a self-signed certificate for the host, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = folder / f"{host}.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(built.public_bytes(Encoding.PEM) + pem)
    return path


def server_context(path: Path) -> ssl.SSLContext:
    """Return the server's TLS context."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificates"), "localhost")


class TestSmtp(RemoteContract):
    provider = RemoteProvider(
        name="smtp",
        settings={"SMTP_URL": f"smtp://{LOGIN}@127.0.0.1"},
        secret=PASSWORD,
        stable_ids=True,
        many=20,
    )

    @pytest.fixture
    def fake(self, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSmtp]:
        """A server with a certificate that the client trusts."""
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with receiving(server_context(trusted)) as server:
            yield server

    @pytest.fixture
    def provider_settings(self, fake: FakeSmtp) -> dict[str, str]:
        return {"EMAIL_PROVIDER": "smtp", "SMTP_URL": f"smtp://{LOGIN}@127.0.0.1:{fake.port}"}

    async def test_encrypts_the_connection_before_authenticating(self, mailer: Mailer, fake: FakeSmtp) -> None:
        await send(mailer)

        assert fake.commands == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
        assert fake.envelopes == [("hello@mail.test", [ADA])]

    async def test_sends_many_emails_through_one_connection(self, mailer: Mailer, fake: FakeSmtp) -> None:
        fake.reject(EVE)
        await mailer.send_bulk([ADA, EVE, BOB], "News", "welcome", {"name": None})

        assert fake.connections == 1
        assert [recipients for _, recipients in fake.envelopes] == [[ADA], [BOB]]

    async def test_reconnects_after_a_lost_connection(self, mailer: Mailer, fake: FakeSmtp) -> None:
        fake.lose_replies(1)
        results = await mailer.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

        assert [result.sent for result in results] == [False, True]
        assert isinstance(results[0].error, EmailUnavailableError)
        assert fake.connections == 2

    async def test_is_encoded_in_seven_bits(self, mailer: Mailer, fake: FakeSmtp) -> None:
        await mailer.send_raw(ADA, "Grüße", text=TEXT, html="<p>Grüße</p>", attachments=ATTACHMENTS)

        assert fake.raw[0].isascii()
        assert max(len(line) for line in fake.raw[0].splitlines()) <= 78

    async def test_marks_emails_as_automatic(self, mailer: Mailer, fake: FakeSmtp) -> None:
        await send(mailer)

        headers = fake.raw[0].partition(b"\r\n\r\n")[0].decode()
        assert "Auto-Submitted: auto-generated" in headers
        assert "\r\nDate: " in headers

    @pytest.mark.parametrize(
        ("verb", "reply", "attempts"),
        [
            ("MAIL", "451 4.3.0 try later", 3),
            ("DATA", "452 4.3.1 full", 3),
            ("AUTH", "454 4.7.0 try later", 3),
            ("EHLO", "421 4.3.2 closing", 3),
            ("RCPT", "450 4.2.0 greylisted", 1),
            ("MAIL", "550 5.7.1 not your address", 1),
            ("STARTTLS", "454 4.7.0 no", 3),
        ],
    )
    async def test_retries_only_transient_replies(
        self, mailer: Mailer, fake: FakeSmtp, verb: str, reply: str, attempts: int
    ) -> None:
        fake.replies[verb] = reply
        with pytest.raises(EmailUnavailableError):
            await send(mailer)

        assert fake.commands.count(verb) == attempts

    async def test_does_not_retry_rejected_content(self, mailer: Mailer, fake: FakeSmtp) -> None:
        fake.replies["DATA"] = "554 5.7.1 spam"
        with pytest.raises(EmailRejectedError):
            await send(mailer)

        assert fake.commands.count("DATA") == 1


class TestEncryption:
    """Protection of the password in transit."""

    async def test_supports_implicit_tls(self, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with receiving(server_context(trusted), implicit=True) as server:
            assert await sent(f"smtps://{LOGIN}@127.0.0.1:{server.port}")
            assert server.commands == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]

    @pytest.mark.parametrize("implicit", [True, False])
    async def test_refuses_an_untrusted_certificate(self, trusted: Path, implicit: bool) -> None:  # noqa: FBT001
        with receiving(server_context(trusted), implicit=implicit) as server:
            with capture_logs() as logs:
                assert not await sent(f"{'smtps' if implicit else 'smtp'}://{LOGIN}@127.0.0.1:{server.port}")
            assert [line["failure"] for line in logs] == ["deferred"]
            assert "AUTH" not in server.commands

    async def test_refuses_a_certificate_for_another_host(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = certificate(tmp_path, "other.test")
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with receiving(server_context(path)) as server:
            assert not await sent(f"smtp://{LOGIN}@127.0.0.1:{server.port}")
            assert "AUTH" not in server.commands

    async def test_sends_nothing_to_a_server_without_encryption(self) -> None:
        with receiving(None) as server:
            assert not await sent(f"smtp://{LOGIN}@127.0.0.1:{server.port}")
            assert server.commands == ["EHLO"]

    async def test_sends_unencrypted_if_the_url_allows_it(self) -> None:
        with receiving(None) as server:
            assert await sent(f"smtp://{LOGIN}@127.0.0.1:{server.port}?starttls=never")
            assert [email.to for email in server.accepted] == [ADA]


async def sent(url: str) -> bool:
    """Return whether an email could be sent through the server."""
    message = Message(sender=Sender(address="hello@mail.test", name="Hello"), subject="Hello", text="Hello")
    provider = SmtpEmail(parse_smtp_url(url), ssl.create_default_context())
    (result,) = await provider.send(message, [ADA], key="1")
    return result.sent
