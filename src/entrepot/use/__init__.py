"""How is data used without losing control? Transfer processes, the gate, and the kinds of use."""

from entrepot.use import acquisition, process
from entrepot.use.delivery import DeliveryDoor
from entrepot.use.doors import PURPOSE_HEADER, Doors, Visit
from entrepot.use.facts import agreed_purpose, facts_of
from entrepot.use.fetch import Answer, ArtefactError, Fetched, ask, fetch
from entrepot.use.gate import admit, settle
from entrepot.use.model import (
    Acquisition,
    AcquisitionState,
    Admitted,
    Asked,
    Denied,
    Door,
    House,
    Knock,
    Outcome,
    Spent,
    TransferProcess,
    Use,
    UseState,
)
from entrepot.use.receipts import keep_own_receipt, make_receipt, take_in_receipt
from entrepot.use.remaining import Left, counts_of, left_of
from entrepot.use.steps import goods_of, plan_of
from entrepot.use.store import read_use, uses
from entrepot.use.streams import Streams
from entrepot.use.upkeep import close_due, has_due, interrupt_dead

__all__ = [
    "PURPOSE_HEADER",
    "Acquisition",
    "AcquisitionState",
    "Admitted",
    "Answer",
    "ArtefactError",
    "Asked",
    "DeliveryDoor",
    "Denied",
    "Door",
    "Doors",
    "Fetched",
    "House",
    "Knock",
    "Left",
    "Outcome",
    "Spent",
    "Streams",
    "TransferProcess",
    "Use",
    "UseState",
    "Visit",
    "acquisition",
    "admit",
    "agreed_purpose",
    "ask",
    "close_due",
    "counts_of",
    "facts_of",
    "fetch",
    "goods_of",
    "has_due",
    "interrupt_dead",
    "keep_own_receipt",
    "left_of",
    "make_receipt",
    "plan_of",
    "process",
    "read_use",
    "settle",
    "take_in_receipt",
    "uses",
]
