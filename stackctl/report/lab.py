"""Labs as a table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stackctl.domain.lab import Lab, Node
from stackctl.report.table import Table

TITLES = ("lab", "node", "condition", "swarm", "address", "context")
CUTS = {"none": "", "most": ", cut off", "all": ", cut off wholly"}


def labs_table(labs: Sequence[Lab]) -> str:
    """A line a node."""
    rows = tuple(
        (lab.name, str(node.number), _condition(node), node.swarm or "-", node.address, node.name)
        for lab in labs
        for node in lab.nodes
    )
    return str(Table(TITLES, rows)) if rows else "no lab is up"


def labs_json(labs: Sequence[Lab]) -> dict[str, Any]:
    """The same for programs."""
    return {"labs": [_lab(lab) for lab in labs]}


def _lab(lab: Lab) -> dict[str, Any]:
    return {
        "name": lab.name,
        "subnet": str(lab.subnet) if lab.subnet else None,
        "nodes": [
            {
                "number": node.number,
                "condition": node.condition,
                "cut": node.cut,
                "swarm": node.swarm or None,
                "address": node.address,
                "engine": node.url,
                "context": node.name,
            }
            for node in lab.nodes
        ],
    }


def _condition(node: Node) -> str:
    return node.condition + CUTS[node.cut]
