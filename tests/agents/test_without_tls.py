"""An agent that is run without the TLS library."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

AGENT = """
import asyncio, hashlib, subprocess, sys, aiohttp
print(sys.modules["ssl"], sys.modules["_hashlib"])
print(__name__, sys.argv[1:], hashlib.sha256(b"a config").hexdigest()[:6], aiohttp.TCPConnector)
print(subprocess.check_output([sys.executable, "-c", "import ssl; print(ssl.__name__)"], text=True).strip())
"""


def test_runs_as_itself_without_the_library(tmp_path: Path) -> None:
    """It is the main module with its own words; hashes and the client work; what it starts has the library."""
    (tmp_path / "an_agent.py").write_text(AGENT)
    words = [sys.executable, "-m", "stackctl.agents.without_tls", "an_agent", "--first"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    said = subprocess.run(words, env=environ, capture_output=True, text=True, check=True).stdout.splitlines()
    first = "__main__ ['--first'] 45eaad <class 'aiohttp.connector.TCPConnector'>"
    assert said == ["None None", first, "ssl"]


def test_an_agent_that_is_missing(tmp_path: Path) -> None:
    """What can't be run is said by Python itself."""
    words = [sys.executable, "-m", "stackctl.agents.without_tls", "stackctl.agents.nobody"]
    with pytest.raises(subprocess.CalledProcessError) as caught:
        subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "No module named stackctl.agents.nobody" in caught.value.stderr
