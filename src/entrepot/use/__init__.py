"""How is data used without losing control? Transfer processes, the gate, and the kinds of use."""

from entrepot.use import acquisition, duties, process
from entrepot.use.api import ApiDoor
from entrepot.use.api_live import Answered
from entrepot.use.cargo import Sealer
from entrepot.use.delivery import DeliveryDoor
from entrepot.use.doors import PURPOSE_HEADER, Doors, Handler, Visit
from entrepot.use.duty_store import Owed
from entrepot.use.facts import agreed_purpose, facts_of, foreseen, seen
from entrepot.use.fetch import Answer, ArtefactError, Fetched, ask, fetch, received_so_far
from entrepot.use.gate import admit, settle
from entrepot.use.inbox import Inbox
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
from entrepot.use.notices import decode_notice, keep_own_notice, make_notice, take_in_notice
from entrepot.use.push import Pusher
from entrepot.use.receipts import keep_own_receipt, make_receipt, take_in_receipt
from entrepot.use.remaining import Left, counts_of, left_of
from entrepot.use.restored import (
    Restored,
    accept_restored,
    begin_restored,
    compared,
    newest_restore,
    not_accepted,
)
from entrepot.use.steps import goods_of, plan_of
from entrepot.use.store import read_use, use_page, uses, uses_by_outcome
from entrepot.use.streams import Streams
from entrepot.use.upkeep import close_due, has_dead, has_due, interrupt_dead

__all__ = [
    "PURPOSE_HEADER",
    "Acquisition",
    "AcquisitionState",
    "Admitted",
    "Answer",
    "Answered",
    "ApiDoor",
    "ArtefactError",
    "Asked",
    "DeliveryDoor",
    "Denied",
    "Door",
    "Doors",
    "Fetched",
    "Handler",
    "House",
    "Inbox",
    "Knock",
    "Left",
    "Outcome",
    "Owed",
    "Pusher",
    "Restored",
    "Sealer",
    "Spent",
    "Streams",
    "TransferProcess",
    "Use",
    "UseState",
    "Visit",
    "accept_restored",
    "acquisition",
    "admit",
    "agreed_purpose",
    "ask",
    "begin_restored",
    "close_due",
    "compared",
    "counts_of",
    "decode_notice",
    "duties",
    "facts_of",
    "fetch",
    "foreseen",
    "goods_of",
    "has_dead",
    "has_due",
    "interrupt_dead",
    "keep_own_notice",
    "keep_own_receipt",
    "left_of",
    "make_notice",
    "make_receipt",
    "newest_restore",
    "not_accepted",
    "plan_of",
    "process",
    "read_use",
    "received_so_far",
    "seen",
    "settle",
    "take_in_notice",
    "take_in_receipt",
    "use_page",
    "uses",
    "uses_by_outcome",
]
