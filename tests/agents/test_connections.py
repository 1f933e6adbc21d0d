"""Connections are read as the kernel writes them."""

from __future__ import annotations

from pathlib import Path

from stackctl.agents.connections import connections_of

TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0500A8C0:9C40 0600A8C0:0050 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0500A8C0:9C41 0600A8C0:0050 01 00000000:00000000 00:00000000 00000000     0        0 3 1
   3: 0500A8C0:9C42 0700A8C0:0050 06 00000000:00000000 00:00000000 00000000     0        0 4 1
   4: 0500A8C0:0050 0100A8C0:D431 01 00000000:00000000 00:00000000 00000000     0        0 5 1
   5: 0500A8C0:9C43 0900A8C0:2134 01 00000000:00000000 00:00000000 00000000     0        0 9 1
"""
TCP6 = """\
  sl  local_address                         remote_address                        st
   0: 0000000000000000FFFF00000500A8C0:9C43 0000000000000000FFFF00000600A8C0:0050 01 0 0 0 0 0 6
   1: 000080FE000000000000000001000000:9C44 000080FE000000000000000002000000:1F90 01 0 0 0 0 0 7
"""


def test_connections(tmp_path: Path) -> None:
    """Connections that these sockets opened count by remote endpoint: none accepted, none of another process."""
    (tmp_path / "tcp").write_text(TCP)
    (tmp_path / "tcp6").write_text(TCP6)
    tables = (tmp_path / "tcp", tmp_path / "tcp6", tmp_path / "absent")
    found = connections_of({"1", "2", "3", "4", "5", "6", "7"}, tables)
    assert found == {"192.168.0.6:80": 3, "[fe80::2]:8080": 1}
