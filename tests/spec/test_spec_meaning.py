"""What a key is for, as a hint."""

from __future__ import annotations

import pytest

from stackctl.spec.findings import Finding, KeyPath
from stackctl.spec.meaning import hinted, meaning


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("services", "web", "port"), "The port on which an instance listens"),
        (("services", "web", "register"), "Who registers it"),
        (("services", "web", "compose", "labels", 1), "Any keys of a Compose service"),
        (("balancer", "files", 0, "dest"), "The file's name in the volume"),
        (("registry", "redis", "password"), "What Redis and the Sentinels ask for"),
        (("external", "one", "endpoints", 2), "Addresses with ports"),
    ],
)
def test_meaning(path: KeyPath, words: str) -> None:
    """It is that of the deepest key that the schema describes, through mappings and lists."""
    assert meaning(path).startswith(words)


def test_unknown_keys_mean_nothing() -> None:
    """The schema is silent about them, and about the document as a whole."""
    assert meaning(()) == meaning(("nonsense", "port")) == ""


def test_a_findings_own_hint_is_the_best() -> None:
    """Then that of its class, and only then what the key means."""
    own, none = Finding(("name",), "no", "do this"), Finding(("name",), "no")
    assert [finding.hint for finding in hinted((own, none), "choose")] == ["do this", "choose"]
    assert [finding.hint for finding in hinted((none,))] == [meaning(("name",))]
