"""The tcp echo as its users meet it: a process, real sockets, TLS where it is asked for."""

from __future__ import annotations

import contextlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.images.apps import App, ended, read_all, started

STAMP = rb"v1\.0\.0 \d{4}-\d\d-\d\d \d\d:\d\d:\d\d: "


@pytest.fixture(scope="module")
def app() -> Iterator[App]:
    """One echo for the tests that leave it as it was."""
    with started("echo") as running:
        yield running


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of a certificate for localhost and its key."""
    openssl = shutil.which("openssl")
    assert openssl, "the tests of TLS need openssl on this machine"
    folder = tmp_path_factory.mktemp("tls")
    chain, key = str(folder / "chain.pem"), str(folder / "key.pem")
    told = "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run([openssl, *told.split(), "-out", chain, "-keyout", key], check=True, capture_output=True)
    return chain, key


def test_lines_come_back_stamped(app: App) -> None:
    """Each line comes back at once, behind version and time, without its carriage return."""
    with app.connect() as connection:
        for line in (b"hello\r\n", b"\n", "ü\n".encode()):
            connection.sendall(line)
            assert re.fullmatch(STAMP + line.strip() + b"\n", connection.recv(65536))


def test_last_line_needs_no_end(app: App) -> None:
    """What a peer sent before it stopped sending comes back, whole lines and the rest."""
    with app.connect() as connection:
        connection.sendall(b"one\ntwo")
        connection.shutdown(socket.SHUT_WR)
        assert re.fullmatch(STAMP + b"one\n" + STAMP + b"two\n", read_all(connection))


def test_version_is_the_environments() -> None:
    """VERSION tells releases apart."""
    with started("echo", VERSION="v2.0.0") as app, app.connect() as connection:
        connection.sendall(b"x\n")
        assert connection.recv(65536).startswith(b"v2.0.0 ")


def test_tls(certificate: tuple[str, str]) -> None:
    """With a certificate it speaks TLS, survives who does not, and still answers after SIGTERM what has arrived."""
    chain, key = certificate
    client = ssl.create_default_context(cafile=chain)
    with started("echo", TLS_CERT=chain, TLS_KEY=key) as app:
        with app.connect() as plain:
            plain.sendall(b"hello, not TLS\n")
            with contextlib.suppress(ConnectionResetError):
                assert not re.match(STAMP, read_all(plain))
        with client.wrap_socket(app.connect(), server_hostname="localhost") as connection:
            connection.sendall(b"hello\n")
            assert re.fullmatch(STAMP + b"hello\n", connection.recv(65536))
            app.process.send_signal(signal.SIGTERM)
            assert read_all(connection) == b""
        assert app.process.wait(5) == 0


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PORT": "0"}, "PORT"),
        ({"TLS_CERT": "/nowhere.pem"}, "TLS_KEY"),
        ({"TLS_KEY": "/nowhere.pem"}, "TLS_CERT"),
        ({"TLS_CERT": "/nowhere.pem", "TLS_KEY": "/nowhere.pem"}, "TLS_CERT /nowhere.pem"),
    ],
)
def test_bad_environment_ends_it_at_once(environment: dict[str, str], named: str) -> None:
    """Exit 2 and a line that names the variable."""
    done = ended("echo", **environment)
    assert done.returncode == 2 and named in done.stderr and "Traceback" not in done.stderr


def test_no_certificate_in_a_file(tmp_path: Path) -> None:
    """A file that is no certificate is said so at the start, not to each client."""
    (tmp_path / "x.pem").write_text("x")
    assert ended("echo", TLS_CERT=str(tmp_path / "x.pem"), TLS_KEY=str(tmp_path / "x.pem")).returncode == 2


def test_termination_answers_what_has_arrived() -> None:
    """Lines that came before SIGTERM are answered, idle connections end, and the exit code is 0."""
    with started("echo") as app, app.connect() as busy, app.connect() as idle:
        idle.sendall(b"x\n")
        assert idle.recv(65536)
        app.process.send_signal(signal.SIGSTOP)
        busy.sendall(b"".join(b"%d\n" % number for number in range(100)))
        app.process.send_signal(signal.SIGTERM)
        app.process.send_signal(signal.SIGCONT)
        assert read_all(busy).count(b"\n") == 100
        assert read_all(idle) == b""
        assert app.process.wait(5) == 0


def test_termination_does_not_wait_for_who_never_reads() -> None:
    """A peer that sends and never reads does not keep it from ending."""
    with started("echo") as app, app.connect() as deaf:
        deaf.settimeout(0.2)
        with pytest.raises(TimeoutError):
            deaf.sendall(b"x\n" * 4_000_000)
        app.process.send_signal(signal.SIGTERM)
        assert app.process.wait(15) == 0


def test_who_sends_beyond_the_end_is_told_of_it() -> None:
    """A peer that goes on sending gets the end of the stream behind its answers, and no reset."""
    with started("echo") as app, app.connect() as connection:
        connection.sendall(b"one\n")
        assert re.fullmatch(STAMP + b"one\n", connection.recv(65536))
        app.process.send_signal(signal.SIGTERM)
        assert connection.recv(65536) == b""
        for _ in range(3):  # the second and later ones would meet a reset
            connection.sendall(b"too late\n")
        connection.shutdown(socket.SHUT_WR)
        assert app.process.wait(5) == 0
