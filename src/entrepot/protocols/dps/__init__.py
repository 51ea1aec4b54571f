"""Data Plane Signaling 1.0-RC3 (HTTP): codec, endpoints of both planes, and words to the other's."""

from entrepot.protocols.dps import codec
from entrepot.protocols.dps.client import DPS, Signals, signal, teller
from entrepot.protocols.dps.codec import PATH
from entrepot.protocols.dps.routes import (
    ControlPlane,
    DataPlane,
    control_plane_routes,
    data_plane_routes,
)

__all__ = [
    "DPS",
    "PATH",
    "ControlPlane",
    "DataPlane",
    "Signals",
    "codec",
    "control_plane_routes",
    "data_plane_routes",
    "signal",
    "teller",
]
