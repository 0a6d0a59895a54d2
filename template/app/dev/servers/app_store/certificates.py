"""A certificate authority like Apple's: root, intermediate and leaf, and an OCSP responder (RFC 6960).

The chain has what the verification of the App Store's data requires: Apple's two extensions, key identifiers, and the
address of the OCSP responder.
"""

import base64
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

INTERMEDIATE_OID: Final = "1.2.840.113635.100.6.2.1"
LEAF_OID: Final = "1.2.840.113635.100.6.11.1"
NULL: Final = b"\x05\x00"
VALIDITY: Final = timedelta(days=365)
OCSP_VALIDITY: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Certificate:
    """A certificate with its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """The certificate in DER."""
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint in hexadecimal digits."""
        return self.certificate.fingerprint(hashes.SHA256()).hex()


def issue(
    name: str,
    issuer: Certificate | None = None,
    *,
    is_authority: bool = False,
    extension: str | None = None,
    ocsp_url: str | None = None,
    not_after: datetime | None = None,
) -> Certificate:
    """Issue a certificate.

    Args:
        name: its common name.
        issuer: signs it; `None` for a root, which signs itself.
        is_authority: whether it may sign others.
        extension: the object identifier of an extension of Apple's.
        ocsp_url: the address of the OCSP responder.
        not_after: its end, in a year by default.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    end = not_after or datetime.now(UTC) + VALIDITY
    signer = issuer.key if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(end - 2 * VALIDITY)
        .not_valid_after(end)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(_usage(is_authority=is_authority), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    if issuer is not None:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key())
        builder = builder.add_extension(identifier, critical=False)
    if extension is not None:
        own = x509.UnrecognizedExtension(x509.ObjectIdentifier(extension), NULL)
        builder = builder.add_extension(own, critical=False)
    if ocsp_url is not None:
        location = x509.UniformResourceIdentifier(ocsp_url)
        access = x509.AccessDescription(AuthorityInformationAccessOID.OCSP, location)
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return Certificate(certificate=builder.sign(signer, hashes.SHA256()), key=key)


def _usage(*, is_authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_authority,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Chain:
    """The certificates that sign the App Store's data."""

    root: Certificate
    intermediate: Certificate
    leaf: Certificate

    @classmethod
    def create(cls, ocsp_url: str) -> Self:
        """Issue a chain whose revocations the responder at the address knows."""
        root = issue("Root CA - Fake", is_authority=True)
        intermediate = issue(
            "Developer Relations - Fake", root, is_authority=True, extension=INTERMEDIATE_OID, ocsp_url=ocsp_url
        )
        leaf = issue("App Store Signing - Fake", intermediate, extension=LEAF_OID, ocsp_url=ocsp_url)
        return cls(root=root, intermediate=intermediate, leaf=leaf)

    @property
    def x5c(self) -> list[str]:
        """The chain for the header of a JWS (RFC 7515 §4.1.6)."""
        return [encoded(each) for each in (self.leaf, self.intermediate, self.root)]

    def sign(self, payload: dict[str, object]) -> str:
        """Return the payload as a JWS."""
        return jwt.encode(payload, self.leaf.key, algorithm="ES256", headers={"x5c": self.x5c})

    def certificate_status(self, request: bytes, revoked: frozenset[int]) -> bytes:
        """Answer an OCSP request for a certificate of the chain.

        Args:
            request: in DER.
            revoked: the serial numbers of revoked certificates.
        """
        serial = ocsp.load_der_ocsp_request(request).serial_number
        pairs = ((self.intermediate, self.root), (self.leaf, self.intermediate))
        for certified, issuer in pairs:
            if certified.certificate.serial_number == serial:
                return _status(certified, issuer, is_revoked=serial in revoked)
        unknown = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        return unknown.public_bytes(Encoding.DER)


def encoded(certificate: Certificate) -> str:
    """Return a certificate in the form of the header `x5c`."""
    return base64.b64encode(certificate.der).decode()


def _status(certified: Certificate, issuer: Certificate, *, is_revoked: bool) -> bytes:
    now = datetime.now(UTC)
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=certified.certificate,
            issuer=issuer.certificate,
            algorithm=hashes.SHA256(),
            cert_status=ocsp.OCSPCertStatus.REVOKED if is_revoked else ocsp.OCSPCertStatus.GOOD,
            this_update=now,
            next_update=now + OCSP_VALIDITY,
            revocation_time=now if is_revoked else None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, issuer.certificate)
        .sign(issuer.key, hashes.SHA256())
    )
    return response.public_bytes(Encoding.DER)
