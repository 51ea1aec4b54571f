"""Decentralized Claims Protocol 1.0: who calls, and the credentials that say so."""

from entrepot.protocols.dcp.client import Acquaintance, Trust
from entrepot.protocols.dcp.routes import PATH, Services, routes

__all__ = ["PATH", "Acquaintance", "Services", "Trust", "routes"]
