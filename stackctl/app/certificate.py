"""The certificate of the entry where the spec asks for https and names none: by a local authority of its own.

The authority lies in `.stackctl/authority/` beside the stacks' folders and stays there when a stack goes down: whoever
trusts `authority.pem` once trusts every stack of that folder. Commands on several stacks share it: the folder's lock
lets one at a time make it.
"""

from __future__ import annotations

import contextlib
import fcntl
import ipaddress
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stackctl.app.project import Project
from stackctl.domain.stack import Certificate, Stack
from stackctl.errors import StackctlError
from stackctl.planning.entry import routed_services

AUTHORITY_LASTS = timedelta(days=3650)
# What browsers accept of any authority.
LASTS = timedelta(days=397)
RENEW = timedelta(days=30)


def certified(project: Project) -> Project:
    """The project with a certificate where it needs one: the last one while it fits, else a new one."""
    stack = project.stack
    if stack.balancer.https is None or stack.balancer.certificate:
        return project
    names = names_of(stack)
    chain, key = project.workspace.folder / "tls" / "chain.pem", project.workspace.folder / "tls" / "key.pem"
    if not _fits(chain, key, names):
        issued = _issue(project.workspace.folder.parent / "authority", names)
        _write(chain, issued.chain)
        _write(key, issued.key)
        project.progress.step("certificate", f"issued for {', '.join(names)}")
    certificate = Certificate(chain.read_text(), key.read_text())
    return replace(project, stack=replace(stack, balancer=replace(stack.balancer, certificate=certificate)))


def names_of(stack: Stack) -> tuple[str, ...]:
    """Under which names the entry is asked for: its domain's, the routes' own, this machine's."""
    domain = stack.balancer.domain
    hosts = {service.route.host for service in routed_services(stack) if service.route.kind == "host"}
    return tuple(sorted({domain, f"*.{domain}", "localhost", "127.0.0.1", *hosts}))


def _fits(chain: Path, key: Path, names: tuple[str, ...]) -> bool:
    if not chain.exists() or not key.exists():
        return False
    try:
        last = x509.load_pem_x509_certificates(chain.read_bytes())[0]
        listed = last.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, IndexError, x509.ExtensionNotFound):
        return False
    lasting = last.not_valid_after_utc > datetime.now(UTC) + RENEW
    return lasting and {str(name.value) for name in listed} == set(names)


def _issue(folder: Path, names: Iterable[str]) -> Certificate:
    with _alone(folder):
        authority, signing = _authority(folder)
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = [_alternative(name) for name in names]
    leaf = (
        _builder("stackctl", authority.subject, key.public_key(), LASTS)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(signing, hashes.SHA256())
    )
    return Certificate(_pem(leaf) + _pem(authority), _key(key))


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; the kernel lets go of the lock with the process, however that ends."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _authority(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """The local authority, made where there is none yet; raises `StackctlError` where there is one that cannot sign."""
    chain, key = folder / "authority.pem", folder / "authority.key"
    if chain.exists() and key.exists():
        try:
            return _read(chain, key)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise StackctlError(
                "authority-unusable",
                f"the local authority cannot be used: {error}",
                where=str(folder),
                hint="bring back its two files, or remove the folder: a new authority is made, to be trusted anew",
            ) from None
    signing = ec.generate_private_key(ec.SECP256R1())
    name = _name("stackctl local authority")
    own = (
        _builder("stackctl local authority", name, signing.public_key(), AUTHORITY_LASTS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(signing, hashes.SHA256())
    )
    chain.unlink(missing_ok=True)  # written last, so that an interruption never pairs it with another key
    _write(key, _key(signing))
    _write(chain, _pem(own))
    return own, signing


def _read(chain: Path, key: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    authority = x509.load_pem_x509_certificate(chain.read_bytes())
    signing = serialization.load_pem_private_key(key.read_bytes(), password=None)
    if not isinstance(signing, ec.EllipticCurvePrivateKey):
        raise ValueError(f"{key.name} is no key on an elliptic curve")
    if signing.public_key() != authority.public_key():
        raise ValueError(f"{key.name} is not the key of {chain.name}")
    return authority, signing


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


def _write(path: Path, text: str) -> None:
    """Beside, then renamed: never a part of it, and never anybody's to read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.touch(mode=0o600)
    beside.chmod(0o600)
    beside.write_text(text)
    beside.replace(path)
