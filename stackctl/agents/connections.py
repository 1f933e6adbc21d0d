"""The connections that nginx has opened, as the kernel lists them (format: the kernel's proc_net_tcp)."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from stackctl.agents.nginx import Nginx
from stackctl.domain.instance import Endpoint

TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
ESTABLISHED, LISTENING = "01", "0A"


@dataclass(frozen=True, slots=True)
class Socket:
    """One line of the kernel's table; `inode` names the socket among a process's files."""

    local: Endpoint
    remote: Endpoint | None
    state: str
    inode: str


def outgoing(nginx: Nginx) -> Mapping[str, int]:
    """Established connections from nginx's workers to instances, by remote endpoint."""
    return connections_of({inode for worker in nginx.workers() for inode in _inodes(worker.pid)})


def connections_of(inodes: set[str], tables: Iterable[Path] = TABLES) -> Mapping[str, int]:
    """Established connections among these sockets that were opened here: nobody listens on their local port."""
    sockets = [socket for table in tables if table.exists() for socket in parsed(table.read_text())]
    served = {socket.local.port for socket in sockets if socket.state == LISTENING}
    return Counter(
        str(socket.remote)
        for socket in sockets
        if socket.state == ESTABLISHED and socket.inode in inodes and socket.local.port not in served
    )


def parsed(table: str) -> Iterator[Socket]:
    """The sockets in a table's text."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        remote = None if fields[2].endswith(":0000") else _endpoint(fields[2])
        yield Socket(_endpoint(fields[1]), remote, fields[3], fields[9])


def _inodes(pid: int) -> Iterator[str]:
    with contextlib.suppress(OSError):  # it has ended
        for file in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                kind, _, inode = str(file.readlink()).partition(":")
                if kind == "socket":
                    yield inode.strip("[]")


def _endpoint(text: str) -> Endpoint:
    """`0100007F:0050`: each 32-bit word of the address in the host's byte order, the port as it reads."""
    address, _, port = text.partition(":")
    words = [bytes.fromhex(address[start : start + 8])[::-1] for start in range(0, len(address), 8)]
    found = ip_address(b"".join(words))
    mapped = getattr(found, "ipv4_mapped", None)
    return Endpoint(str(mapped or found), int(port, 16))
