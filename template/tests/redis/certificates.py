"""Certificates for a server on this machine, signed by an authority of the tests."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

_ISSUES_ONLY = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
AUTHORITY = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "The tests' authority")])


def make_certificates(folder: Path, *, address: str) -> tuple[Path, Path, Path]:
    """Write the authority's certificate, and a server's certificate and key for an IP address."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    authority = _certificate(AUTHORITY, authority_key.public_key())
    signed_by_itself = (
        authority.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        # Python 3.13 and newer hold certificates to all that RFC 5280 asks for.
        .add_extension(_ISSUES_ONLY, critical=True)
    )
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, address)])
    server = (
        _certificate(name, key.public_key())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
        .add_extension(identifier, critical=False)
    )
    files = folder / "authority.pem", folder / "server.pem", folder / "server.key"
    for builder, path in ((signed_by_itself, files[0]), (server, files[1])):
        path.write_bytes(builder.sign(authority_key, hashes.SHA256()).public_bytes(Encoding.PEM))
    files[2].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return files


def _certificate(name: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(AUTHORITY)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
