"""Single values: what is no value of its kind is refused before anybody acts on it."""

from __future__ import annotations

import pytest

from stackctl.spec import scalars
from stackctl.spec.findings import Wrong
from tests.spec.conftest import Problems


@pytest.mark.parametrize("url", ["tcp://192.0.2.7:2376", "tcp://one.test", "ssh://me@one.test:22", "tcp://[::1]:2376"])
def test_address_of_an_engine(url: str) -> None:
    """A scheme, a machine, and a port where one is said."""
    assert scalars.engine_url(url) == url


@pytest.mark.parametrize(
    "url", ["tcp://127.0.0.1:99999", "tcp://x:abc", "tcp://127.0.0.1:-1", "tcp://x:0", "tcp://[::1", "tcp://:80", "x"]
)
def test_no_address_of_an_engine(url: str) -> None:
    """A port that is none is found in the spec, not by the connection."""
    with pytest.raises(Wrong, match="no address of an engine") as caught:
        scalars.engine_url(url)
    assert "tcp://192.0.2.7:2376" in caught.value.hint


@pytest.mark.parametrize(
    "written",
    [
        *("127.0.0.1:80", "[::1]:80", "[::ffff:127.0.0.1]:80", "0.0.0.0:80", "[::]:80", "[::ffff:0.0.0.0]:80"),
        *("224.0.0.1:80", "[ff02::1]:80", "255.255.255.255:80"),
    ],
)
def test_endpoint_that_no_container_reaches(written: str) -> None:
    """Addresses that are every machine's own, or nobody's, lead to nothing."""
    with pytest.raises(Wrong) as caught:
        scalars.endpoint(written)
    assert caught.value.hint == "name its address in the network"


def test_endpoints_are_listed_once(problems: Problems) -> None:
    """The second of two equal ones would take a share of the requests that nobody meant."""
    external = "external: {one: {endpoints: ['192.0.2.7:80', '192.0.2.8:80', '192.0.2.7:80']}}"
    (problem,) = problems(f"name: a\nservices: {{web: {{image: whoami, port: 80}}}}\n{external}\n")
    assert problem.endswith("external.one.endpoints: 192.0.2.7:80 is listed twice (leave one of the two out)")
