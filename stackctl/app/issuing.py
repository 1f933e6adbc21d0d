"""Certificates issued by a local authority: what the entry's https and a lab's engines have in common."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stackctl.domain.stack import Certificate

Usage = Literal["server", "client"]

USAGES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
AUTHORITY_LASTS = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Authority:
    """A certificate and the key that signs others."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> Certificate:
        """Both as texts."""
        return Certificate(_pem(self.certificate), _key(self.key))

    def issue(self, names: Iterable[str], lasts: timedelta, usage: Usage = "server") -> Certificate:
        """A new key and its certificate for these names and addresses, followed by the authority's own."""
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives = [_alternative(name) for name in names]
        leaf = (
            _builder("stackctl", self.certificate.subject, key.public_key(), lasts)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([USAGES[usage]]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        return Certificate(_pem(leaf) + _pem(self.certificate), _key(key))


def new_authority(common: str) -> Authority:
    """An authority that signs certificates of servers and clients, never another authority's."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = (
        _builder(common, _name(common), key.public_key(), AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    return Authority(own, key)


def read_authority(chain: bytes, key: bytes) -> Authority:
    """The authority that `Authority.pem` gave as texts; raises ValueError where they are none, or not of each other."""
    try:
        authority, signing = (
            x509.load_pem_x509_certificate(chain),
            serialization.load_pem_private_key(key, password=None),
        )
    except (TypeError, UnsupportedAlgorithm) as error:
        raise ValueError(str(error)) from None
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise ValueError("its key is no key on an elliptic curve")
    if signing.public_key() != authority.public_key():
        raise ValueError("its key is not the key of its certificate")
    return Authority(authority, signing)


def _builder(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # clocks differ
        .not_valid_after(now + lasts)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _key(key: ec.EllipticCurvePrivateKey) -> str:
    kind, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, kind, encryption).decode()
