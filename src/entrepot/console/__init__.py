"""How do people reach a node? A small web console on the owner's port."""

from collections.abc import Sequence

from entrepot.node.node import Node, Part
from entrepot.protocols import Route


def routes(node: Node, parts: Sequence[Part]) -> list[Route]:
    """Every page of the console of this node."""
    del node, parts
    return []


__all__ = ["routes"]
