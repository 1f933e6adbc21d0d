"""What `register` asks for is checked before anybody is told."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.app.asked import asked
from stackctl.domain.stack import Check
from stackctl.errors import UsageError

WORDS = ("docs", "docs-1", "192.0.2.7:80")
CHECK = Check("http", "/healthz", 1.0, 1.0, 5400.0)


def test_asked() -> None:
    """STACK comes first where it is said; tags and metadata are passed on as they are."""
    stack, wanted = asked(("shop", *WORDS), CHECK, ("a", "tcp"), ("route=/docs", "weight=7", "Version=1=2"))
    assert (stack, wanted.service, wanted.id, str(wanted.endpoint)) == ("shop", *WORDS)
    assert wanted.check and wanted.check.http == "http://192.0.2.7:80/healthz"
    assert wanted.tags == ("a", "tcp")
    assert dict(wanted.meta) == {"route": "/docs", "weight": "7", "Version": "1=2"}
    assert asked(WORDS, Check(), (), ())[0] is None


@pytest.mark.parametrize(
    ("words", "where"),
    [
        (WORDS[:2], "docs docs-1"),
        (("docs", "docs-1", "192.0.2.7"), "ADDRESS:PORT 192.0.2.7"),
        (("docs", "docs-1", "192.0.2.7:8_0"), "ADDRESS:PORT 192.0.2.7:8_0"),
        (("Docs", *WORDS[1:]), "SERVICE Docs"),
        (("docs", "a;b", "192.0.2.7:80"), "ID a;b"),
    ],
)
def test_words(words: tuple[str, ...], where: str) -> None:
    """A word that can't be what its place asks for is named with it."""
    with pytest.raises(UsageError) as refused:
        asked(words, CHECK, (), ())
    assert refused.value.where == where and refused.value.hint


@pytest.mark.parametrize(
    ("check", "where"),
    [
        (replace(CHECK, path="a b"), "--check-http a b"),
        (replace(CHECK, path="healthz"), "--check-http healthz"),
        (replace(CHECK, path=""), "--check-http "),
        (replace(CHECK, interval=0), "--interval 0"),
        (replace(CHECK, timeout=0.01), "--check-timeout 0.01"),
        (replace(CHECK, deregister_after=1.0), "--deregister-after 1.0"),
    ],
)
def test_check(check: Check, where: str) -> None:
    """It has the bounds that a spec's check has."""
    with pytest.raises(UsageError) as refused:
        asked(WORDS, check, (), ())
    assert refused.value.where == where and refused.value.hint


@pytest.mark.parametrize("meta", ["x", "route=bad", "route=", "weight=0", "weight=a", "=x", "a b=c", "stackctl-x=1"])
def test_meta(meta: str) -> None:
    """A pair, and one that means something where its key does."""
    with pytest.raises(UsageError) as refused:
        asked(WORDS, CHECK, (), (meta,))
    assert refused.value.where == f"--meta {meta}" and refused.value.hint


@pytest.mark.parametrize("tag", ["a;b", "", "${x}", "a\nb"])
def test_tag(tag: str) -> None:
    """Nothing that means something to nginx or a shell."""
    with pytest.raises(UsageError) as refused:
        asked(WORDS, CHECK, (tag,), ())
    assert refused.value.where == f"--tag {tag}" and refused.value.hint
