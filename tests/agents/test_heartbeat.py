"""The heartbeat: what it accepts, and how it ends; its registration is tested against a real registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest

from bench.ports import free_port
from stackctl.agents.heartbeat import Settings
from stackctl.domain.registry import RegistrySettings
from stackctl.errors import UsageError

WORDS = ("--service", "web-app", "--", "app", "--port", "7")


def told(*words: str, **environment: str) -> Settings:
    return Settings.of(words or WORDS, environment)


def test_defaults() -> None:
    """Port 80, the registry's ttl, a second to drain, a weight of one; the command is taken as it is."""
    assert told() == Settings("web-app", 80, 0.0, 1.0, 1, ("app", "--port", "7"), Path("/etc/stackctl/registry.json"))


@pytest.mark.parametrize(
    ("words", "environment", "port"),
    [
        (WORDS, {"WEB_APP_PORT": "8080", "HEARTBEAT_PORT": "81"}, 8080),
        (WORDS, {"HEARTBEAT_PORT": "81", "WEBAPP_PORT": "82"}, 81),
        (("--port", "83", *WORDS), {"WEB_APP_PORT": "8080"}, 83),
        (("--port", "83", "--", "app"), {"HEARTBEAT_SERVICE": "web"}, 83),
    ],
)
def test_port(words: tuple[str, ...], environment: Mapping[str, str], port: int) -> None:
    """The port is what the words say, else the service's own variable, else the stack's."""
    assert Settings.of(words, environment).port == port


@pytest.mark.parametrize(
    ("words", "environment", "what"),
    [
        (WORDS, {"WEB_APP_PORT": "http"}, "WEB_APP_PORT"),
        (WORDS, {"WEB_APP_PORT": ""}, "WEB_APP_PORT"),
        (WORDS, {"WEB_APP_PORT": "0"}, "WEB_APP_PORT"),
        (WORDS, {"WEB_APP_PORT": "65536"}, "WEB_APP_PORT"),
        (WORDS, {"WEB_APP_PORT": "8_0"}, "WEB_APP_PORT"),
        (WORDS, {"WEB_APP_PORT": "\u0668\u0660"}, "WEB_APP_PORT"),
        (WORDS, {"EXPIRE_TIME": "soon"}, "EXPIRE_TIME"),
        (WORDS, {"EXPIRE_TIME": "nan"}, "EXPIRE_TIME"),
        (WORDS, {"EXPIRE_TIME": "0.5"}, "EXPIRE_TIME"),
        (WORDS, {"DRAIN_TIME": "-1"}, "DRAIN_TIME"),
        (WORDS, {"HEARTBEAT_WEIGHT": "0"}, "HEARTBEAT_WEIGHT"),
        (("--", "app"), {}, "--service"),
        (("--service", "a/b", "--", "app"), {}, "--service"),
        (("--service", "web"), {}, "command"),
    ],
)
def test_nonsense(words: tuple[str, ...], environment: Mapping[str, str], what: str) -> None:
    """What makes no sense is a usage error that names it."""
    with pytest.raises(UsageError, match=what) as wrong:
        Settings.of(words, environment)
    assert wrong.value.exit_code == 2


def started(tmp_path: Path, *command: str, **environment: str) -> subprocess.Popen[str]:
    """A heartbeat whose registry does not answer."""
    settings = tmp_path / "registry.json"
    nobody = RegistrySettings("redis", sentinels=(f"127.0.0.1:{free_port()}",), ttl=3.0, prefix="/work")
    settings.write_text(json.dumps(asdict(nobody)))
    words = ("--registry", str(settings), "--service", "web", "--", *command)
    return subprocess.Popen(
        [sys.executable, "-m", "stackctl.agents.heartbeat", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "WEB_PORT": str(free_port()), **environment},
    )


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("sh", "-c", "exit 0"), 0),
        (("sh", "-c", "exit 7"), 7),
        (("sh", "-c", "kill -9 $$"), 137),
        (("/nonexistent",), 127),
        (("/etc/hostname",), 126),
    ],
)
def test_exit_status(tmp_path: Path, command: tuple[str, ...], code: int) -> None:
    """The app's own exit status is the heartbeat's, with a registry or without."""
    heartbeat = started(tmp_path, *command)
    heartbeat.communicate(timeout=10)
    assert heartbeat.returncode == code


def test_bad_port_starts_nothing(tmp_path: Path) -> None:
    """Nonsense ends it with 2 and the reason on stderr, and the app is not started."""
    heartbeat = started(tmp_path, "touch", str(tmp_path / "started"), WEB_PORT="http")
    output, errors = heartbeat.communicate(timeout=10)
    assert (heartbeat.returncode, output) == (2, "")
    assert "WEB_PORT must be a whole number" in errors
    assert not (tmp_path / "started").exists()


def test_no_registry_to_tell(tmp_path: Path) -> None:
    """Without a settings file it says where it has looked, and starts nothing."""
    words = ("--registry", str(tmp_path / "none.json"), "--service", "web", "--", "true")
    done = subprocess.run(
        [sys.executable, "-m", "stackctl.agents.heartbeat", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "none.json" in done.stderr


APP = """
import os, signal, sys, time
def heard(number, _):
    print(signal.Signals(number).name, flush=True)
    if number == signal.SIGTERM:
        sys.exit(3)
signal.signal(signal.SIGHUP, heard)
signal.signal(signal.SIGTERM, heard)
print(os.environ["PORT"], flush=True)
while True:
    time.sleep(0.05)
"""


def test_signals_are_passed_on(tmp_path: Path) -> None:
    """The app hears the signals, is told its port, and is not kept from its end by a registry that is away."""
    port = free_port()
    heartbeat = started(tmp_path, sys.executable, "-c", APP, WEB_PORT=str(port), DRAIN_TIME="0")
    assert heartbeat.stdout
    assert heartbeat.stdout.readline() == f"{port}\n"
    heartbeat.send_signal(signal.SIGHUP)
    assert heartbeat.stdout.readline() == "SIGHUP\n"
    heartbeat.send_signal(signal.SIGTERM)
    assert heartbeat.stdout.readline() == "SIGTERM\n"
    assert heartbeat.wait(timeout=10) == 3


DRAINED = """
import os, signal, socket, time
told = []
signal.signal(signal.SIGTERM, lambda *_: told.append(time.time()))
listening = socket.create_server(("", int(os.environ["PORT"])))
while not told or time.time() < told[0] + 0.7:
    time.sleep(0.05)
print(*told, flush=True)
"""


def test_told_once_after_the_drain(tmp_path: Path) -> None:
    """However long the drain is, the app is told to end once, and not before it is over."""
    heartbeat = started(tmp_path, sys.executable, "-c", DRAINED, DRAIN_TIME="1.5")
    assert heartbeat.stderr
    assert "the registry was not told" in heartbeat.stderr.readline()  # so that there is something to be forgotten
    began = time.time()
    heartbeat.send_signal(signal.SIGTERM)
    output, _ = heartbeat.communicate(timeout=10)
    (told_at,) = map(float, output.split())
    assert told_at >= began + 1.5
    assert heartbeat.returncode == 0
