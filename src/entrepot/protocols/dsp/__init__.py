"""The Dataspace Protocol 2025-1 (HTTPS binding): messages, endpoints, client."""

from entrepot.protocols.dsp import codec, envelope
from entrepot.protocols.dsp.client import Correspondence, Meaning, judge, pause
from entrepot.protocols.dsp.codec import PATH, render_negotiation, render_transfer
from entrepot.protocols.dsp.routes import Services, catalogue_routes, routes
from entrepot.protocols.dsp.silence import Silence

__all__ = [
    "PATH",
    "Correspondence",
    "Meaning",
    "Services",
    "Silence",
    "catalogue_routes",
    "codec",
    "envelope",
    "judge",
    "pause",
    "render_negotiation",
    "render_transfer",
    "routes",
]
