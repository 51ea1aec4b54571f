"""Certificates for servers on 127.0.0.1, by an authority that only these tests trust."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Certificates:
    """Files (PEM)."""

    authority: Path
    certificate: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """An authority, and one certificate of it for 127.0.0.1."""
    made = Certificates(folder / "authority.pem", folder / "certificate.pem", folder / "key.pem")
    above, ours = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _named("authority of these tests", above.public_key(), x509.BasicConstraints(True, 0)).sign(
        above, hashes.SHA256()
    )
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    leaf = (
        _named("127.0.0.1", ours.public_key(), x509.BasicConstraints(False, None), root.subject)
        .add_extension(address, critical=False)
        .sign(above, hashes.SHA256())
    )
    made.authority.write_bytes(root.public_bytes(Encoding.PEM))
    made.certificate.write_bytes(leaf.public_bytes(Encoding.PEM))
    made.key.write_bytes(ours.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _named(
    name: str,
    key: ec.EllipticCurvePublicKey,
    constraints: x509.BasicConstraints,
    issuer: x509.Name | None = None,
) -> x509.CertificateBuilder:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder(issuer_name=issuer or subject, subject_name=subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(constraints, critical=True)
    )
