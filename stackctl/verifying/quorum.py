"""Which of Consul's servers have their vote, and which can be restarted without the loss of the quorum. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from stackctl.domain.instance import EngineState
from stackctl.domain.status import ClusterStatus


@dataclass(frozen=True, slots=True)
class Quorum:
    """Consul's servers at one moment: how many votes the consensus counts, the servers that are there to cast one, with
    their addresses, and those that are not."""

    votes: int
    voting: Mapping[str, str]
    lacking: frozenset[str]

    def spares(self, name: str) -> bool:
        """Whether a majority is left while a server restarts. Where none lacks, waiting would not make it more."""
        return not self.lacking or 2 * len(self.voting.keys() - {name}) > self.votes

    def lacks(self, before: Quorum, renewed: str) -> frozenset[str]:
        """The servers that lack since one was renewed. That one comes back under another address: for seconds gossip
        believes of the old one that it is alive, and its vote stays in the consensus all the time."""
        back = self.voting.get(renewed, "") not in ("", before.voting.get(renewed))
        return self.lacking - before.lacking | frozenset([] if back else [renewed])


def quorum(servers: Collection[str], cluster: ClusterStatus, engine: EngineState) -> Quorum:
    """What the cluster's members and the Swarm say of these servers.

    A vote counts where gossip calls the server alive, the consensus lets it vote and its task serves: one that is cut
    off passes its own check, and the configuration keeps the vote of one that does not come back.
    """
    voters = {peer.name for peer in cluster.peers if peer.voter}
    voters &= {instance.service for instance in engine.instances if instance.serving}
    voting = {m.name: m.address for m in cluster.members if m.state == "alive" and m.name in voters}
    return Quorum(sum(peer.voter for peer in cluster.peers), voting, frozenset(servers) - voting.keys())
