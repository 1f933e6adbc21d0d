"""What the probe says inside is what the judge hears outside."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.balancer import Backend
from stackctl.domain.catalog import Catalog, CatalogEntry, SetAside
from stackctl.domain.instance import Endpoint
from stackctl.domain.observation import BalancerSeen, Traffic
from stackctl.probing import wire

TEXT = st.text(max_size=12)
COUNTS = st.dictionaries(TEXT, st.integers(0, 99), max_size=3)
ENDPOINTS = st.builds(Endpoint, st.ip_addresses().map(str), st.integers(1, 65535))
ENTRIES = st.builds(
    CatalogEntry,
    TEXT,
    TEXT,
    ENDPOINTS,
    TEXT,
    owner=TEXT,
    passing=st.booleans(),
    node_alive=st.booleans(),
    draining=st.booleans(),
    unasked=st.booleans(),
    weight=st.integers(1, 256),
    tags=st.lists(TEXT, max_size=2).map(tuple),
)
CATALOGS = st.builds(
    Catalog,
    TEXT,
    st.lists(ENTRIES, max_size=3).map(tuple),
    st.lists(st.builds(SetAside, TEXT, TEXT, TEXT), max_size=2).map(tuple),
    st.integers(0, 9),
)
TRAFFIC = st.builds(Traffic, st.integers(0, 99), COUNTS, COUNTS, st.lists(TEXT, max_size=3).map(tuple))
BALANCERS = st.builds(
    BalancerSeen,
    st.just("lb"),
    revision=TEXT,
    backends=st.dictionaries(
        TEXT, st.lists(st.builds(Backend, TEXT, ENDPOINTS, st.integers(1, 9)), max_size=2).map(tuple), max_size=2
    ),
    tampered=TEXT,
    dropped=st.dictionaries(TEXT, st.lists(TEXT, max_size=2).map(tuple), max_size=2),
    reloaded=st.booleans(),
    shutting_down=st.integers(0, 9),
    connections=COUNTS,
    agent=TEXT,
)


@given(CATALOGS)
def test_catalog(catalog: Catalog) -> None:
    """A catalog survives the wire."""
    assert wire.catalog_from_json(json.loads(json.dumps(wire.catalog_to_json(catalog)))) == catalog


@given(TRAFFIC)
def test_traffic(traffic: Traffic) -> None:
    """Traffic survives the wire."""
    assert wire.traffic_from_json(json.loads(json.dumps(wire.traffic_to_json(traffic)))) == traffic


@given(BALANCERS)
def test_balancer(seen: BalancerSeen) -> None:
    """A balancer survives the wire."""
    assert wire.balancer_from_json("lb", json.loads(json.dumps(wire.balancer_to_json(seen)))) == seen
