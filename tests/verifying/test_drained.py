"""An instance has left when no config names it, no connection is open to it, and no old worker could open one."""

from __future__ import annotations

from dataclasses import replace

from stackctl.verifying.drained import Leaving, still_served, still_working
from tests.building import instance, observation

LEAVING = Leaving.of([instance(2)])


def test_served() -> None:
    """A balancer that still has it is named, with what is wrong with its agent; one that can't be asked may have it."""
    seen = observation(1, 2)
    assert still_served(LEAVING, seen) == ["shop-lb-1 still serves shop-web-2"]
    frozen = replace(seen.balancers[0], agent="its agent does not answer")
    found = still_served(LEAVING, replace(seen, balancers=(frozen,)))
    assert found == ["shop-lb-1 still serves shop-web-2 (its agent does not answer)"]
    gone = replace(seen.balancers[0], unreachable="gone")
    assert still_served(LEAVING, replace(seen, balancers=(gone,))) == ["shop-lb-1 can't be asked: gone"]
    assert still_served(LEAVING, observation(1)) == []


def test_served_under_another_name() -> None:
    """An endpoint that another registration holds too is still served."""
    seen = observation(1, 2)
    assert still_served(Leaving(frozenset({"other"}), frozenset({"10.0.0.2:80"})), seen) != []


def test_working() -> None:
    """Open connections and finishing workers keep it; connections to others do not."""
    seen = observation(1)
    busy = replace(seen.balancers[0], connections={"10.0.0.2:80": 3, "10.0.0.1:80": 5})
    assert still_working(LEAVING, replace(seen, balancers=(busy,))) == ["shop-lb-1 has 3 connections to 10.0.0.2:80"]
    finishing = replace(seen.balancers[0], shutting_down=2)
    assert still_working(LEAVING, replace(seen, balancers=(finishing,))) != []
    assert still_working(LEAVING, seen) == []
    assert still_working(Leaving.of([]), replace(seen, balancers=(finishing,))) == []
