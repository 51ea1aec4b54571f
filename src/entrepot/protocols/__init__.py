"""How do strangers talk to us? One package a standard; each translates, and decides nothing."""

from entrepot.protocols.route import Call, Outgoing, Proof, Reply, Response, Route

__all__ = ["Call", "Outgoing", "Proof", "Reply", "Response", "Route"]
