"""Endpoints name whoever does not know his own name, and nobody twice."""

from __future__ import annotations

from dataclasses import replace

from stackctl.domain.catalog import Catalog
from stackctl.verifying.identity import identified
from tests.building import entry, observation


def test_by_endpoint() -> None:
    """A registration under an unknown id at an instance's endpoint is that instance's."""
    seen = observation(1)
    foreign = replace(entry(1), id="10.0.0.1")
    named = identified(replace(seen, catalogs={"web": Catalog("web", (foreign,))}))
    assert [e.id for e in named.catalogs["web"].entries] == ["shop-web-1"]


def test_not_twice() -> None:
    """A second registration of an instance that is registered under its own id stays a stranger."""
    seen = observation(1)
    double = (entry(1), replace(entry(1), id="10.0.0.1"))
    named = identified(replace(seen, catalogs={"web": Catalog("web", double)}))
    assert [e.id for e in named.catalogs["web"].entries] == ["shop-web-1", "10.0.0.1"]
