"""TLS: passed on unread to the service that the hello names, and ended at the entry with a certificate of one's own."""

from __future__ import annotations

import socket
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.ports import free_port
from tests.e2e.scenario import Scenario

pytestmark = pytest.mark.engine

SPEC = """\
name: {name}
registry: {{consul: {{servers: 1, ui: {ui}}}}}
balancer:
  http: {http}
  https: {https}
  certificate: {{chain: own/cert.pem, key: own/key.pem}}
  tls: {tls}
services:
  web: {{image: whoami, port: 80, route: /}}
  db: {{image: echo, port: 9999, replicas: 2, route: "tls:db.example.test", compose: {db}}}
  queue: {{image: echo, port: 9999, route: "tls:queue.example.test", compose: {queue}}}
"""


def certificate(folder: Path, name: str) -> None:
    """A self-signed certificate for a name, which anybody may read."""
    folder.mkdir()
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    kind, encryption = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(serialization.Encoding.PEM, kind, encryption))


def line(port: int, name: str, authority: Path, said: bytes = b"") -> bytes:
    """What comes back over a TLS connection that is checked for a name."""
    context = ssl.create_default_context(cafile=str(authority))
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain, server_hostname=name) as talk,
    ):
        talk.sendall(said)
        return talk.recv(200)


def test_tls(scenario: Scenario) -> None:
    """Two services share a port and keep their certificates; the entry has the one it was given; all is proven."""
    https, tls = free_port(), free_port()
    for name in ("db", "queue", "own"):
        certificate(scenario.folder / name, f"{name}.example.test")
    scenario.folder.chmod(0o755)
    env = "environment: {TLS_CERT: /tls/cert.pem, TLS_KEY: /tls/key.pem}"
    passed = {name: f'{{{env}, volumes: ["./{name}:/tls:ro"]}}' for name in ("db", "queue")}
    ports = {"ui": scenario.ui, "http": scenario.port, "https": https, "tls": tls}
    scenario.spec.write_text(SPEC.format(name=scenario.name, **ports, **passed))
    scenario.stackctl("up", timeout=600)
    for name in ("db", "queue"):
        host, cert = f"{name}.example.test", scenario.folder / name / "cert.pem"
        assert line(tls, host, cert, b"hello\n").endswith(b": hello\n")
    own = scenario.folder / "own" / "cert.pem"
    page = line(https, "own.example.test", own, b"GET / HTTP/1.0\r\nHost: own.example.test\r\n\r\n")
    assert page.startswith(b"HTTP/1.1 200")
    ways = {service["name"]: service["layers"]["traffic"] for service in scenario.verify()["services"]}
    assert set(ways["db"]) == {scenario.id("lb"), f"entry 127.0.0.1:{tls}"}
    assert set(ways["db"][f"entry 127.0.0.1:{tls}"]["by_instance"]) == {scenario.id("db", 1), scenario.id("db", 2)}
    with pytest.raises(OSError, match=r"."):
        line(tls, "nobody.example.test", own)
