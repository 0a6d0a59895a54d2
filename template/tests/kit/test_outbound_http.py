"""Requests that cannot reach private networks."""

import asyncio
import datetime as dt
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, override

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from app.kit.outbound_http import OutboundHttp, OutboundHttpError, check_target

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
SECOND = timedelta(seconds=1)


class Server:
    """A server on the loopback interface that answers every request with the same bytes.

    Attributes:
        requests: what it received.
        closed: set when a client has closed its connection.
    """

    def __init__(self, reply: bytes, *, forever: bool) -> None:
        self.requests: list[bytes] = []
        self.closed = asyncio.Event()
        self.port = 0
        self._reply = reply
        self._forever = forever

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.requests.append(head + await reader.readexactly(length))
            writer.write(self._reply)
            while self._forever:
                writer.write(self._reply)
                await writer.drain()
                await asyncio.sleep(0)
            await reader.read()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            self.closed.set()


@asynccontextmanager
async def serving(reply: bytes = OK, *, forever: bool = False, is_called: bool = True) -> AsyncIterator[Server]:
    """Run a server until the end of the block and of its only connection."""
    server = Server(reply, forever=forever)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    async with listening:
        yield server
        if is_called:
            await asyncio.wait_for(server.closed.wait(), 5)


async def post(url: str, *, allow_loopback: bool = True, timeout: timedelta = 5 * SECOND) -> int:  # noqa: ASYNC109
    """Send a request with a new client."""
    async with OutboundHttp(allow_loopback=allow_loopback, timeout=timeout) as client:
        return await client.post(url, b"{}", {"content-type": "application/json"})


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Sets the addresses that each look-up of a name finds. Returns the list of the names that are looked up."""

    def answer(*answers: list[str]) -> list[str]:
        asked: list[str] = []
        loop = asyncio.get_running_loop()

        async def getaddrinfo(host: str, port: int, **_options: Any) -> list[Any]:  # noqa: ANN401 - as the loop's
            asked.append(host)
            found = answers[min(len(asked), len(answers)) - 1]
            return [(2, 1, 6, "", (address, port)) for address in found]

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        return asked

    return answer


class TestTarget:
    @pytest.mark.parametrize(
        "url",
        [
            "https://crm.example.com/leads?key=7",
            "https://8.8.8.8/",
            "https://[2606:4700::1111]/",
            "https://crm.example.com:8443/",
        ],
    )
    def test_is_a_public_host(self, url: str) -> None:
        assert check_target(url) == url

    @pytest.mark.parametrize(
        "url",
        [
            "http://crm.example.com/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://2130706433/",
            "https://0x7f.1/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest/meta-data",
            "https://metadata.google.internal/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://[64:ff9b::a00:1]/",
            "https://[fd00::1]/",
            "https://intranet/",
            "https://user:password@crm.example.com/",
            "https://crm.example.com\\@10.0.0.1/",
            "https://crm.example.com/\r\nHost: x",
            "ftp://crm.example.com/",
            "file:///etc/passwd",
            "",
        ],
    )
    def test_is_nothing_else(self, url: str) -> None:
        with pytest.raises(ValueError, match="must"):
            check_target(url)

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9000/", "http://localhost:9000/", "http://[::1]:9000/"])
    def test_is_this_machine_only_where_allowed(self, url: str) -> None:
        assert check_target(url, allow_loopback=True) == url
        with pytest.raises(ValueError, match="must"):
            check_target(url)

    @pytest.mark.parametrize("url", ["http://10.0.0.1/", "https://192.168.1.1/", "http://crm.example.com/"])
    def test_is_no_other_machine_there(self, url: str) -> None:
        with pytest.raises(ValueError, match="must"):
            check_target(url, allow_loopback=True)


class TestPost:
    async def test_sends_the_request_and_returns_the_status(self, monkeypatch: pytest.MonkeyPatch) -> None:
        # A proxy of the environment would resolve names itself.
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        async with serving(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n") as server:
            assert await post(f"http://127.0.0.1:{server.port}/leads?a=b%20c") == 202
        (request,) = server.requests
        assert request.startswith(b"POST /leads?a=b%20c HTTP/1.1\r\n")
        assert request.endswith(b"\r\n\r\n{}")
        assert f"host: 127.0.0.1:{server.port}\r\n".encode() in request.lower()

    @pytest.mark.parametrize("address", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fe80::1%eth0", "0.0.0.0"])  # noqa: S104
    async def test_refuses_a_public_name_with_a_private_address(
        self, resolve: Callable[..., list[str]], address: str
    ) -> None:
        resolve([address])
        with pytest.raises(OutboundHttpError, match="not public"):
            await post("https://crm.example.com/", allow_loopback=True)

    async def test_refuses_a_name_if_one_of_its_addresses_is_private(self, resolve: Callable[..., list[str]]) -> None:
        resolve(["8.8.8.8", "127.0.0.1"])
        with pytest.raises(OutboundHttpError, match="not public"):
            await post("https://crm.example.com/")

    async def test_refuses_localhost_if_its_address_is_another(self, resolve: Callable[..., list[str]]) -> None:
        resolve(["10.0.0.1"])
        with pytest.raises(OutboundHttpError, match="not public"):
            await post("http://localhost:9000/")

    async def test_connects_to_the_address_that_was_checked(self, resolve: Callable[..., list[str]]) -> None:
        async with serving() as server:
            asked = resolve(["127.0.0.1"], ["10.0.0.1"])
            assert await post(f"http://localhost:{server.port}/") == 200
        assert asked == ["localhost"]
        assert f"host: localhost:{server.port}\r\n".encode() in server.requests[0].lower()

    async def test_tries_the_next_address_if_one_cannot_be_connected_to(
        self, resolve: Callable[..., list[str]]
    ) -> None:
        async with serving() as server:
            resolve(["::1", "127.0.0.1"])
            assert await post(f"http://localhost:{server.port}/") == 200
        assert len(server.requests) == 1

    async def test_refuses_a_name_without_addresses(self, resolve: Callable[..., list[str]]) -> None:
        resolve([])
        with pytest.raises(OutboundHttpError, match="no address"):
            await post("https://crm.example.com/")

    async def test_follows_no_redirect(self) -> None:
        async with serving(is_called=False) as other:
            location = f"Location: http://127.0.0.1:{other.port}/\r\n".encode()
            async with serving(
                b"HTTP/1.1 307 Temporary Redirect\r\nContent-Length: 0\r\n" + location + b"\r\n"
            ) as server:
                assert await post(f"http://127.0.0.1:{server.port}/") == 307
        assert other.requests == []

    async def test_reads_no_body_and_closes_the_connection(self) -> None:
        async with serving(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 65536, forever=True) as server:
            assert await post(f"http://127.0.0.1:{server.port}/") == 200

    async def test_ends_when_the_headers_have_no_end(self) -> None:
        async with serving(b"HTTP/1.1 200 OK\r\n" + b"X-Filler: " + b"x" * 65536 + b"\r\n", forever=True) as server:
            with pytest.raises(OutboundHttpError, match="RemoteProtocolError"):
                await post(f"http://127.0.0.1:{server.port}/")

    async def test_has_a_deadline(self) -> None:
        async with serving(b"HTTP/1.1 200 OK\r\n") as server:
            with pytest.raises(OutboundHttpError, match="no answer within"):
                await post(f"http://127.0.0.1:{server.port}/", timeout=0.3 * SECOND)

    async def test_reports_a_server_that_cannot_be_reached_without_the_url(self) -> None:
        async with serving(is_called=False) as server:
            pass
        with pytest.raises(OutboundHttpError) as raised:
            await post(f"http://127.0.0.1:{server.port}/?key=7")
        assert str(raised.value) == "ConnectError"


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A certificate of `localhost`, without its address."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "localhost.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(built.public_bytes(Encoding.PEM) + pem)
    return path


class _Accepting(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.end_headers()

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@contextmanager
def serving_tls(certificate: Path) -> Iterator[int]:
    """Run a server with TLS in a thread until the end of the block, and yield its port."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    with HTTPServer(("127.0.0.1", 0), _Accepting) as server:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("host", "is_trusted"), [("localhost", True), ("127.0.0.1", False)])
async def test_the_certificate_has_to_be_that_of_the_name(certificate: Path, host: str, *, is_trusted: bool) -> None:
    """Although the connection goes to an address."""
    trust = ssl.create_default_context(cafile=certificate)
    with serving_tls(certificate) as port:
        async with OutboundHttp(allow_loopback=True, verify=trust) as client:
            url = f"https://{host}:{port}/"
            if is_trusted:
                assert await client.post(url, b"{}", {}) == 200
            else:
                with pytest.raises(OutboundHttpError, match="ConnectError"):
                    await client.post(url, b"{}", {})
