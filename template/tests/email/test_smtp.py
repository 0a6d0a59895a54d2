"""Any mail server."""

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

from app.email.port import EmailRejectedError, EmailUnavailableError, Message, Sender
from app.email.providers.smtp import SmtpEmail
from app.email.providers.smtp_url import parse_smtp_url
from app.email.service import EmailService
from tests.email.contract import TEXT
from tests.email.remote_contract import ADA, BOB, EVE, RemoteContract, send
from tests.fakes.smtp import PASSWORD, USERNAME, FakeSmtp, receiving

LOGIN = f"{USERNAME}:{quote(PASSWORD, safe='')}"


def certificate(folder: Path, host: str) -> Path:
    """A certificate for this machine that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mail.test")])
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    now = dt.datetime.now(dt.UTC)
    made = (
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
    path.write_bytes(made.public_bytes(Encoding.PEM) + pem)
    return path


def server_context(path: Path) -> ssl.SSLContext:
    """What the server shows."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


@pytest.fixture(scope="session")
def trusted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return certificate(tmp_path_factory.mktemp("certificates"), "localhost")


class TestSmtp(RemoteContract):
    provider = "smtp"
    secret = PASSWORD
    credentials = "SMTP_URL"
    repeats_ids = True
    many = 20

    @pytest.fixture
    def fake(self, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSmtp]:
        """A server whose certificate this machine trusts, as it does those of authorities."""
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with receiving(server_context(trusted)) as server:
            yield server

    @pytest.fixture
    def provider_settings(self, fake: FakeSmtp) -> dict[str, str]:
        return {"EMAIL_PROVIDER": "smtp", "SMTP_URL": f"smtp://{LOGIN}@127.0.0.1:{fake.port}"}

    async def test_the_way_is_encrypted_before_anything_is_said(self, email: EmailService, fake: FakeSmtp) -> None:
        await send(email)

        assert fake.commands == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]
        assert fake.envelopes == [("hello@mail.test", [ADA])]

    async def test_many_mails_go_through_one_connection(self, email: EmailService, fake: FakeSmtp) -> None:
        fake.refuse(EVE)
        await email.send_bulk([ADA, EVE, BOB], "News", "welcome", {"name": None})

        assert fake.connections == 1
        assert [recipients for _, recipients in fake.envelopes] == [[ADA], [BOB]]

    async def test_a_lost_connection_is_made_again(self, email: EmailService, fake: FakeSmtp) -> None:
        fake.lose_answers(1)
        results = await email.send_bulk([ADA, BOB], "News", "welcome", {"name": None})

        assert [result.sent for result in results] == [False, True]
        assert isinstance(results[0].error, EmailUnavailableError)
        assert fake.connections == 2

    async def test_the_mail_is_written_for_servers_of_seven_bits(self, email: EmailService, fake: FakeSmtp) -> None:
        await email.send_raw(ADA, "Grüße", text=TEXT, html="<p>Grüße</p>")

        assert fake.raw[0].isascii()
        assert max(len(line) for line in fake.raw[0].splitlines()) <= 78

    async def test_headers_say_that_no_person_has_written(self, email: EmailService, fake: FakeSmtp) -> None:
        await send(email)

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
    async def test_what_the_server_says_tells_whether_to_try_at_once(
        self, email: EmailService, fake: FakeSmtp, verb: str, reply: str, attempts: int
    ) -> None:
        fake.replies[verb] = reply
        with pytest.raises(EmailUnavailableError):
            await send(email)

        assert fake.commands.count(verb) == attempts

    async def test_content_that_is_refused_is_refused_for_good(self, email: EmailService, fake: FakeSmtp) -> None:
        fake.replies["DATA"] = "554 5.7.1 spam"
        with pytest.raises(EmailRejectedError):
            await send(email)

        assert fake.commands.count("DATA") == 1


class TestEncryption:
    """What protects the password on its way."""

    async def test_tls_may_be_there_from_the_first_byte(self, trusted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        with receiving(server_context(trusted), implicit=True) as server:
            assert await sent(f"smtps://{LOGIN}@127.0.0.1:{server.port}")
            assert server.commands == ["EHLO", "AUTH", "MAIL", "RCPT", "DATA", "QUIT"]

    @pytest.mark.parametrize("implicit", [True, False])
    async def test_a_certificate_that_nobody_vouches_for_is_not_believed(self, trusted: Path, implicit: bool) -> None:  # noqa: FBT001
        with receiving(server_context(trusted), implicit=implicit) as server:
            with capture_logs() as logs:
                assert not await sent(f"{'smtps' if implicit else 'smtp'}://{LOGIN}@127.0.0.1:{server.port}")
            assert [line["failure"] for line in logs] == ["later"]
            assert "AUTH" not in server.commands

    async def test_a_certificate_of_somebody_else_is_not_believed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = certificate(tmp_path, "other.test")
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        with receiving(server_context(path)) as server:
            assert not await sent(f"smtp://{LOGIN}@127.0.0.1:{server.port}")
            assert "AUTH" not in server.commands

    async def test_a_server_that_cannot_encrypt_gets_nothing(self) -> None:
        with receiving(None) as server:
            assert not await sent(f"smtp://{LOGIN}@127.0.0.1:{server.port}")
            assert server.commands == ["EHLO"]

    async def test_unless_it_is_a_mail_catcher_on_this_machine(self) -> None:
        with receiving(None) as server:
            assert await sent(f"smtp://{LOGIN}@127.0.0.1:{server.port}?starttls=never")
            assert [mail.to for mail in server.mails] == [ADA]


async def sent(url: str) -> bool:
    """Whether a mail could be sent through the server."""
    message = Message(sender=Sender(address="hello@mail.test", name="Hello"), subject="Hello", text="Hello")
    provider = SmtpEmail(parse_smtp_url(url), ssl.create_default_context())
    (result,) = await provider.send(message, [ADA], key="1")
    return result.sent
