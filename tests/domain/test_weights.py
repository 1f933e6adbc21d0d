"""How many of the requests a canary gets."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from stackctl.domain.balancer import backends, least_share
from stackctl.domain.catalog import CANARY_META, CatalogEntry
from stackctl.domain.wishes import CANARY_LABEL, meta
from tests.building import entry


def canary(number: int, percent: int, weight: int = 1) -> CatalogEntry:
    return replace(entry(number), weight=weight, meta=((CANARY_META, str(percent)),))


def weights(*entries: CatalogEntry) -> dict[str, int]:
    return {backend.id: backend.weight for backend in backends(entries)}


def test_plain_weights_stay() -> None:
    """Without a canary, or with canaries alone, the weights are those of the catalog."""
    assert weights(replace(entry(1), weight=5), entry(2)) == {"shop-web-1": 5, "shop-web-2": 1}
    assert weights(canary(1, 10, weight=5)) == {"shop-web-1": 5}
    assert weights(entry(1), replace(entry(2), meta=((CANARY_META, "many"),))) == {"shop-web-1": 1, "shop-web-2": 1}


def test_ten_percent() -> None:
    """One canary beside three others: the smallest whole numbers that give it a tenth."""
    assert weights(entry(1), entry(2), entry(3), canary(4, 10)) == {
        "shop-web-1": 3,
        "shop-web-2": 3,
        "shop-web-3": 3,
        "shop-web-4": 1,
    }


@given(
    st.integers(1, 99),
    st.lists(st.integers(1, 256), min_size=1, max_size=5),
    st.lists(st.integers(1, 256), min_size=1, max_size=5),
)
def test_canaries_together_get_exactly_their_percent(percent: int, stable: list[int], canaries: list[int]) -> None:
    """Whatever the weights of either kind, and among their kind everybody keeps his own share."""
    others = [replace(entry(n), weight=weight) for n, weight in enumerate(stable, start=1)]
    new = [canary(n, percent, weight) for n, weight in enumerate(canaries, start=100)]
    found = weights(*others, *new)
    own = sum(found[e.id] for e in new)
    assert own * 100 == percent * sum(found.values())
    assert all(found[a.id] * b.weight == found[b.id] * a.weight for a, b in pairwise(others))


def test_least_share() -> None:
    """The smallest share tells how long one has to ask until everybody was met."""
    assert least_share(backends((entry(1), entry(2), entry(3), canary(4, 10)))) == 0.1
    assert least_share(()) == 1.0


def test_label_becomes_metadata() -> None:
    """The canary's label reaches the registry under a name that no SERVICE_X can take."""
    assert meta({CANARY_LABEL: "10"}, {"canary": "mine"}) == (("canary", "mine"), (CANARY_META, "10"))
