"""Images from this machine's engine to a lab's nodes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stackctl.domain.lab import Node
from stackctl.engine.client import connect
from stackctl.engine.contexts import context_client
from stackctl.engine.sending import Receiver, Report, images
from stackctl.engine.sending import send as send_to
from stackctl.errors import StackctlError, Unreachable

PATIENCE = 300.0  # seconds; a big layer takes a while to unpack


def send(references: Sequence[str], nodes: Iterable[Node], report: Report) -> None:
    """Give each node those of the images that it lacks; raises `StackctlError` for one that is nowhere."""
    wanted = images(connect(), references)
    for reference in (reference for reference in references if reference not in wanted):
        hint = f"build it, or `docker pull {reference}`, on this machine first"
        raise StackctlError("lab-image-missing", f"this machine's engine has no {reference}", hint=hint)
    send_to(wanted, [_receiver(node) for node in nodes], report)


def _receiver(node: Node) -> Receiver:
    client = context_client(node.name, PATIENCE)
    if client is None:
        raise Unreachable("lab-node-silent", f"there is no Docker context for {node.name}", hint="stackctl lab up")
    return Receiver(node.name, client)
