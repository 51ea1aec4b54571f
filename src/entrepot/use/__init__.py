"""How is data used without losing control? Transfer processes, the gate, and the kinds of use."""

from entrepot.use import process
from entrepot.use.model import Door, TransferProcess, Use, UseState

__all__ = ["Door", "TransferProcess", "Use", "UseState", "process"]
