"""The one deterministic state machine of the ledger.

`check` judges a transaction before it waits for a block, `apply` gives its effect, `apply_block` that of a
block: results, log leaves and state root. Integers only, no clock, no randomness, no I/O. The cut is the one
ABCI makes, so that any engine may order the blocks: `read_call` and `check` are CheckTx, `apply_block` is
FinalizeBlock, `Chronicle.append` is Commit, `State.get` is Query. Only transactions that take effect become
leaves: to be in the log is to have happened.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import msgspec

from entrepot.ledger.errors import InconsistentError, PersonalDataError, SignatureError
from entrepot.ledger.modules import contracts, members, products, usage
from entrepot.ledger.operation import (
    Context,
    EvidenceKey,
    Member,
    Operation,
    Outcome,
    Reason,
    Refusal,
    Role,
    View,
)
from entrepot.ledger.state import State, Writes
from entrepot.ledger.transaction import (
    ChainText,
    Count,
    DidText,
    DigestText,
    HexKeyText,
    KeyText,
    SignedTransaction,
    decode_transaction,
)
from entrepot.values import MalformedError, TooLargeError, canonical, is_citizen_id, render_digest

WINDOW: Final = 100_000
"""How many heights a transaction stays admissible after the one it was made at."""

CROWD: Final = 65_536
"""How many transactions may be made at one height: bounds what a repeat is looked for in."""

PRUNED_AT_ONCE: Final = 1_000
_BLOCK_LEAF: Final = b'{"height":'

OPERATIONS: Final[Mapping[str, Operation[Any]]] = {
    "member.admit": Operation(members.MemberAdmit, members.admit),
    "member.keys": Operation(members.MemberKeys, members.change_keys),
    "member.revoke": Operation(members.MemberRevoke, members.revoke),
    "product.register": Operation(products.ProductRegister, products.register),
    "contract.file": Operation(contracts.ContractFile, contracts.file),
    "contract.end": Operation(contracts.ContractEnd, contracts.end),
    "usage.batch": Operation(usage.UsageBatch, usage.batch),
}

# Looks back only from a digit: twice as fast as a pattern that looks back first.
_PERSONAL: Final = re.compile(rb"(?s)[0-9](?<![0-9A-Za-z].)(?:\d{16}[\dXx]|\d{10})(?![0-9A-Za-z])")


class Genesis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What every copy of a ledger starts from: its name, and the authority that admits members."""

    chain: ChainText
    code: members.CodeText
    key: KeyText
    operator: DidText
    public: HexKeyText
    time: Count


class BlockLeaf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The last leaf of a block."""

    height: Count
    root: DigestText
    time: Count


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The oldest height whose transactions are still remembered."""

    first: int


@dataclass(frozen=True, slots=True)
class Call:
    """A transaction whose body has been read and whose bytes may be on a ledger."""

    signed: SignedTransaction
    body: msgspec.Struct


@dataclass(frozen=True, slots=True)
class Head:
    """Where a ledger stands after a block."""

    chain: str
    height: int
    time: int
    state: State


@dataclass(frozen=True, slots=True)
class Block:
    """What a block did; not committed until its `head` is kept."""

    head: Head
    results: tuple[SignedTransaction | Refusal, ...]
    applied: tuple[SignedTransaction, ...]
    leaves: tuple[bytes, ...]
    writes: Writes


def genesis_head(genesis: Genesis) -> Head:
    """Height 0: the operator is the only member."""
    key = EvidenceKey(genesis.key, genesis.public)
    operator = Member(genesis.code, genesis.operator, None, 1, (key,), Role.OPERATOR)
    items = [
        ("genesis", canonical.encode_struct(genesis)),
        (f"members/{genesis.operator}", canonical.encode_struct(operator)),
    ]
    return Head(genesis.chain, 0, genesis.time, State(items))


def read_call(raw: bytes) -> Call:
    """Read a signed transaction with its body; closed forms only, and nothing that looks like a person."""
    signed = decode_transaction(raw)
    operation = OPERATIONS.get(signed.transaction.op)
    if operation is None:
        raise MalformedError("no such operation")
    if _names_a_person(signed.payload):
        raise PersonalDataError
    return Call(signed, canonical.decode_struct(bytes(signed.transaction.body), operation.body))


def check(view: View, call: Call, context: Context) -> Member | Refusal:
    """Who acts, if this transaction may stand in a block: chain, window, repeat, member, key, signature."""
    transaction = call.signed.transaction
    if transaction.chain != context.chain:
        return Refusal(Reason.OTHER_CHAIN)
    if transaction.height > context.height:
        return Refusal(Reason.NOT_YET)
    if transaction.height < context.height - WINDOW:
        return Refusal(Reason.EXPIRED)
    made = view.made_at(transaction.height)
    if call.signed.digest in made:
        return Refusal(Reason.REPEATED)
    if len(made) >= CROWD:
        return Refusal(Reason.CROWDED)
    return _acting(view, call.signed)


def apply(view: View, call: Call, context: Context) -> Outcome:
    """The effect of one transaction on the state: what it writes, or why it is refused."""
    actor = check(view, call, context)
    if isinstance(actor, Refusal):
        return actor
    return OPERATIONS[call.signed.transaction.op].rule(view, actor, call.body, context)


def apply_block(head: Head, height: int, time: int, transactions: Iterable[bytes | Call]) -> Block:
    """The effect of a block; one in which nothing takes effect adds no leaf and leaves the state alone."""
    if height <= head.height or time <= head.time:
        raise ValueError(f"block {height} at {time} does not follow block {head.height} at {head.time}")
    context = Context(head.chain, height, time)
    view = View(head.state)
    results = tuple(_apply_to(view, transaction, context) for transaction in transactions)
    applied = tuple(result for result in results if isinstance(result, SignedTransaction))
    if not applied:
        return Block(Head(head.chain, height, time, head.state), results, (), (), {})
    _prune(view, height)
    writes = view.writes()
    state = head.state.update(writes)
    leaf = canonical.encode_struct(BlockLeaf(height, render_digest(state.root), time))
    leaves = (*(signed.raw for signed in applied), leaf)
    return Block(Head(head.chain, height, time, state), results, applied, leaves, writes)


def replay(head: Head, entries: Iterable[bytes]) -> Iterator[Block]:
    """Run the machine again over a log's entries; the first block it would have made otherwise is refused."""
    pending: list[bytes] = []
    for entry in entries:
        pending.append(entry)
        if is_block_leaf(entry):
            block = _replay_block(head, pending)
            head, pending = block.head, []
            yield block
    if pending:
        raise InconsistentError(f"log ends inside the block after height {head.height}")


def is_block_leaf(entry: bytes) -> bool:
    """Tell a block leaf from a transaction: canonical keys are sorted, so their first ones differ."""
    return entry.startswith(_BLOCK_LEAF)


def decode_block_leaf(entry: bytes) -> BlockLeaf:
    return canonical.decode_struct(entry, BlockLeaf)


def _apply_to(view: View, transaction: bytes | Call, context: Context) -> SignedTransaction | Refusal:
    """Apply one transaction of a block to the block's view."""
    call = _read_or_refuse(transaction)
    if isinstance(call, Refusal):
        return call
    outcome = apply(view, call, context)
    if isinstance(outcome, Refusal):
        return outcome
    view.write(outcome)
    view.mark(call.signed.transaction.height, call.signed.digest)
    return call.signed


def _replay_block(head: Head, entries: list[bytes]) -> Block:
    try:
        leaf = decode_block_leaf(entries[-1])
        block = apply_block(head, leaf.height, leaf.time, entries[:-1])
    except (MalformedError, ValueError) as error:
        raise InconsistentError(f"no block follows height {head.height}: {error}") from error
    if block.leaves != tuple(entries):
        reasons = sorted({r.reason for r in block.results if isinstance(r, Refusal)})
        raise InconsistentError(
            f"block {leaf.height} is not what its transactions give: "
            + (
                f"refused {', '.join(reasons)}"
                if reasons
                else f"state root {render_digest(block.head.state.root)}"
            )
        )
    return block


def _read_or_refuse(transaction: bytes | Call) -> Call | Refusal:
    if isinstance(transaction, Call):
        return transaction
    try:
        return read_call(transaction)
    except PersonalDataError:
        return Refusal(Reason.PERSONAL_DATA)
    except (MalformedError, TooLargeError):
        return Refusal(Reason.MALFORMED)


def _acting(view: View, signed: SignedTransaction) -> Member | Refusal:
    member = view.member(signed.transaction.actor)
    if member is None or not member.in_force:
        return Refusal(Reason.NOT_A_MEMBER)
    public = next((key.public for key in member.keys if key.id == signed.transaction.key), None)
    if public is None:
        return Refusal(Reason.WRONG_KEY)
    try:
        signed.verify(bytes.fromhex(public))
    except SignatureError:
        return Refusal(Reason.BAD_SIGNATURE)
    return member


def _prune(view: View, height: int) -> None:
    """Forget what is too old to be repeated; only blocks that hold transactions come here."""
    window = view.read("window", Window) or Window(0)
    end = min(height - WINDOW, window.first + PRUNED_AT_ONCE)
    if end > window.first:
        for old in range(window.first, end):
            view.forget(old)
        view.write({"window": Window(end)})


def _names_a_person(payload: bytes) -> bool:
    """Whether an identity or mobile number stands in the text by itself; digests and codes are longer."""
    texts = (payload, unquote_to_bytes(payload)) if b"%" in payload else (payload,)
    return any(
        _is_personal(match[0].decode().upper()) for text in texts for match in _PERSONAL.finditer(text)
    )


def _is_personal(text: str) -> bool:
    if len(text) == 11:
        return text[0] == "1" and text[1] in "3456789"
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    return is_citizen_id(text)
