"""What the probe makes of Consul's own words."""

from __future__ import annotations

from stackctl.agents.cluster import without_vote


def member(name: str, role: str = "server", state: str = "alive") -> dict[str, str]:
    return {"name": name, "role": role, "state": state}


def test_without_vote() -> None:
    """Alive servers that are no voters, or not in the consensus at all; clients and dead servers do not count."""
    seen = {
        "members": [
            member("consul-1"),
            member("consul-2"),
            member("consul-3"),
            member("consul-4", state="failed"),
            member("consul-agent", role="client"),
        ],
        "peers": [{"name": "consul-1", "voter": True}, {"name": "consul-2", "voter": False}],
    }
    assert without_vote(seen) == ["consul-2", "consul-3"]
