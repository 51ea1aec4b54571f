"""How do strangers talk to us? One package a standard; each translates, and decides nothing."""

from entrepot.protocols.route import Call, Handler, Outgoing, Proof, Reply, Response, Route, unquoted

__all__ = ["Call", "Handler", "Outgoing", "Proof", "Reply", "Response", "Route", "unquoted"]
