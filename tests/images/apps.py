"""The sample apps as processes of this machine: the files of their images, real sockets."""

from __future__ import annotations

import contextlib
import functools
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.ports import free_port
from stackctl.rendering.images import image_build

ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def _kept() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="stackctl-samples-")  # goes with this process


@functools.cache
def folder(name: str) -> Path:
    """What an image is built from, as a folder."""
    files = image_build(name, templates=ROOT / "templates", package=ROOT / "stackctl").files
    made = Path(_kept().name) / name
    made.mkdir()
    for path, text in files.items():
        (made / path).write_text(text)
    return made


def command(name: str) -> tuple[str, ...]:
    """As in its image, but from the source and without leaving compiled files beside it."""
    return (sys.executable, "-B", "-E", "-s", "-S", str(folder(name) / "app.py"))


@dataclass(frozen=True, slots=True)
class App:
    """A running sample."""

    process: subprocess.Popen[str]
    port: int

    def connect(self) -> socket.socket:
        """A connection that no test waits on for ever."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=10)

    def get(self, path: str = "/", method: str = "GET", body: bytes | None = None) -> tuple[int, str]:
        """Status and text over a fresh connection."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as client:
            client.request(method, path, body)
            answer = client.getresponse()
            return answer.status, answer.read().decode()

    def raw(self, request: bytes) -> bytes:
        """Everything that is answered to these bytes until the app closes."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@contextlib.contextmanager
def started(name: str, **environment: str) -> Iterator[App]:
    """A sample until the end of the block, accepting connections from its beginning."""
    told = {"PORT": str(free_port()), **environment}
    process = subprocess.Popen(command(name), env={**os.environ, **told}, text=True)
    app = App(process, int(told["PORT"]))
    try:
        deadline = time.monotonic() + 10
        while True:
            assert process.poll() is None, f"{name} ended with {process.returncode}"
            with contextlib.suppress(OSError), app.connect():
                break
            assert time.monotonic() < deadline, f"{name} does not accept connections"
            time.sleep(0.005)
        yield app
    finally:
        process.kill()
        process.wait()


def ended(name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A sample that is expected to end by itself."""
    return subprocess.run(
        command(name), env={**os.environ, **environment}, capture_output=True, text=True, timeout=10, check=False
    )
