"""The steps of the gate, one function each, in the order in which it takes them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from functools import lru_cache

from msgspec import structs
from sqlalchemy import Connection

from entrepot import catalogue, regulation
from entrepot.contracts import Contract, agreement_of, in_force
from entrepot.identity import known_party
from entrepot.journal import AuditEvent, Transaction, audit, first_seen
from entrepot.ledger import Record, RecordKind, Units, oldest_unanchored, write_record
from entrepot.policy import CounterKind, Decision, Plan, Policy, compile_policy, hold, settle_budgets
from entrepot.policy import release as release_counters
from entrepot.policy import reserve as reserve_counters
from entrepot.use import duties, store
from entrepot.use.facts import facts_of
from entrepot.use.model import (
    NOTHING,
    Cleared,
    Denied,
    Door,
    Goods,
    House,
    Knock,
    Outcome,
    Spent,
    Use,
    UseState,
)
from entrepot.use.process import find_door
from entrepot.use.restored import not_accepted
from entrepot.values import FORMATS, KindOfUse, UseId, canonical, render_digest, render_time, sha256
from entrepot.values.canonical import Json


class Event(StrEnum):
    DENIED = "use:use:deny"


_plan = lru_cache(maxsize=4096)(compile_policy)


def plan_of(policy: Policy) -> Plan:
    """The policy made ready, kept for the next use under it."""
    return _plan(policy)


def _keep(tx: Transaction, record: Record) -> None:
    write_record(tx, record, tx.now + regulation.retention("record", tx.now.date()))


def _digest_of(decision: Decision) -> str:
    """The digest of everything the decision looked at and found."""
    return render_digest(sha256(canonical.encode_struct(decision.report())))


def identify(tx: Transaction, knock: Knock) -> Door | None:
    """Find the open door of this process that the token opens. It names the agreement's consumer."""
    door = find_door(tx.connection, knock.process_id, knock.token)
    return None if door is None or (door.until is not None and tx.now > door.until) else door


def find_agreement(tx: Transaction, door: Door) -> Contract | None:
    return agreement_of(tx.connection, door.agreement_id)


def goods_of(connection: Connection, contract: Contract) -> Goods | None:
    """What a contract is about: the version of the product that it names, and its artefact."""
    product = catalogue.product_under(connection, contract.agreement.target, contract.product_digest)
    if product is None:
        return None
    return Goods(
        product.id, product.grade, product.kinds, product.resource_id, product.artefact, product.size
    )


def find_live_use(tx: Transaction, door: Door, knock: Knock) -> Use | None:
    """The use that this call goes on with: for a delivery, all ranges of one artefact in one process."""
    if knock.kind is not KindOfUse.DELIVERY:
        return None
    live = store.live_uses_of(tx.connection, door.process_id)
    return live[0] if live else None


def decide(
    tx: Transaction, house: House, knock: Knock, door: Door, contract: Contract, *, resumed: bool
) -> Cleared | Denied:
    """Judge a use now: contract, consumer, law, anchoring, and last the policy. All reasons are given."""
    goods = goods_of(tx.connection, contract)
    if goods is None:
        return Denied(("the product of this contract is not here",))
    reasons = [*in_force(contract, tx.now), *not_accepted(tx.connection)]
    if FORMATS.get(door.format) is not knock.kind:
        reasons.append(f"this door is for {door.format}")
    age = timedelta.max
    consumer = known_party(tx.connection, contract.counterparty, house.welcome, tx.now)
    if consumer is not None:
        most = max(house.status_max_age, regulation.grace(goods.grade, tx.now.date()))
        reasons += consumer.standing.refusals(most)
        age = consumer.standing.age
    elif not contract.vouched_by and contract.counterparty not in house.insecure_peers:
        # Who a consumer is whom a control plane of our owner's has named, that has verified.
        reasons.append("nothing is known of the consumer's membership")
    if knock.kind not in goods.kinds:
        reasons.append(f"the product is offered for {', '.join(sorted(goods.kinds))}, not for {knock.kind}")
    ruling = regulation.may_use(goods.grade, knock.kind, tx.now.date())
    if not ruling.allowed:
        reasons.append(f"{ruling.reason} ({ruling.article})")
    if oldest_unanchored(tx.connection, tx.now) > house.oldest_unanchored:
        reasons.append("records have waited too long for the ledger; nothing new is opened until it has them")
    reasons += duties.against_use(tx.connection, contract, tx.now)
    plan = plan_of(contract.agreement.policy)
    membership = None if consumer is None else consumer.membership
    facts = facts_of(tx.connection, contract, plan, membership, knock, tx.now, reserved=resumed)
    decision = plan.decide(facts)
    again = None if reasons else decision.again(tx.now)
    reasons += decision.reasons()
    return Denied(tuple(reasons), again=again) if reasons else Cleared(decision, goods, age)


def reserve(tx: Transaction, contract: Contract, decision: Decision) -> bool:
    """Take what this use costs from the counters of the permission relied on; all of it or nothing."""
    return reserve_counters(tx, contract.agreement.id, decision.charges)


def open_use(tx: Transaction, house: House, door: Door, contract: Contract, found: Cleared) -> Use:
    """Write down that a use opened, before a byte of it leaves."""
    decision, goods = found.decision, found.goods
    use = Use(
        id=UseId(tx.new_id()),
        process_id=door.process_id,
        agreement_id=contract.agreement.id,
        contract_id=contract.contract_id,
        consumer=contract.counterparty,
        product_id=goods.product_id,
        artefact=goods.artefact,
        kind=FORMATS[door.format],
        state=UseState.OPEN,
        boot=house.boot,
        permission=decision.relied_on,
        opened_at=tx.now,
        touched_at=tx.now,
        size=goods.size,
    )
    store.open_use(tx, use)
    hold(tx, use.id, use.agreement_id, decision.charges)
    duties.fulfil(tx, contract.agreement.policy, use)
    opened = _record(tx, use, RecordKind.OPENED, None, Units(uses=1), found.status_age)
    _keep(tx, structs.replace(opened, decision=_digest_of(decision)))
    return use


def resume(tx: Transaction, house: House, use: Use) -> Use:
    """Go on with a use: it costs nothing further, and a gap before it is written down.

    That it broke off stays its outcome: what had left before nobody may have been left to count.
    """
    if use.state is UseState.INTERRUPTED or use.boot != house.boot:
        broke_off = replace(use, state=UseState.OPEN, boot=house.boot, outcome=str(Outcome.INTERRUPTED))
        store.touch_use(tx, broke_off, NOTHING)
        _keep(tx, _record(tx, use, RecordKind.RESUMED, None, Units(), _status_age(tx, house, use)))
    return use


def deny(tx: Transaction, door: Door, denied: Denied) -> Denied:
    """Say no, and audit it at most once a minute for one process."""
    minute = f"{door.process_id} {tx.now:%Y-%m-%dT%H:%M}"
    if first_seen(tx, "denied", minute, tx.now + timedelta(minutes=2)):
        facts: dict[str, Json] = {
            "process": door.process_id,
            "agreement": door.agreement_id,
            "reasons": [*denied.reasons],
        }
        audit(tx, AuditEvent(Event.DENIED, facts))
    return denied


def find_use(tx: Transaction, use_id: UseId) -> Use | None:
    use = store.read_use(tx.connection, use_id)
    return None if use is None or use.state is UseState.CLOSED else use


def check_output(use: Use, outcome: Outcome, spent: Spent) -> Outcome:
    """What came out decides: a use that touched data, or may have, cannot be taken back as refused."""
    has_touched = use.sent > 0 or spent.touched or use.outcome == Outcome.INTERRUPTED
    if outcome is Outcome.REFUSED and has_touched:
        return Outcome.INTERRUPTED
    return outcome


def release(tx: Transaction, use: Use) -> None:
    """Give back what a use had reserved that never touched data."""
    contract = agreement_of(tx.connection, use.agreement_id)
    if contract is not None:
        charges = plan_of(contract.agreement.policy).charges[use.permission]
        release_counters(tx, use.agreement_id, charges, use.opened_at)


def write_down(tx: Transaction, house: House, use: Use, outcome: Outcome, spent: Spent) -> Use:
    """Write down what a use came to, how it went on (*interrupted*) or that it is closed."""
    is_closed = use.is_closed_by(outcome)
    is_interrupted = outcome is Outcome.INTERRUPTED and not is_closed
    use = replace(
        use,
        state=UseState.CLOSED if is_closed else UseState.INTERRUPTED if is_interrupted else use.state,
        boot=house.boot,
        sent=use.sent + spent.bytes,
        rows=use.rows + spent.rows,
        outcome=str(outcome),
    )
    if is_closed:
        _owe(tx, use, outcome)
        _keep(tx, _closed(tx, house, use, outcome, spent))
    elif is_interrupted:
        _keep(tx, _record(tx, use, RecordKind.INTERRUPTED, outcome, Units(), _status_age(tx, house, use)))
    store.touch_use(tx, use, spent)
    return use


def _owe(tx: Transaction, use: Use, outcome: Outcome) -> None:
    """Give back what a closed use did not come to, and write down what it leaves to be done."""
    contract = agreement_of(tx.connection, use.agreement_id)
    if contract is None:
        return
    if any(c.counter.is_budget for c in plan_of(contract.agreement.policy).charges[use.permission]):
        settle_budgets(tx, use.id, _came_to(tx, use, outcome))
    duties.fall_due(tx, contract.agreement.policy, use, outcome)


def _came_to(tx: Transaction, use: Use, outcome: Outcome) -> Mapping[CounterKind, int]:
    """What a closed use has taken; all that it had reserved where it went wrong after data was touched."""
    if outcome in {Outcome.FAILED, Outcome.INTERRUPTED}:
        return {}
    seconds = 0 if outcome is Outcome.REFUSED else _seconds(tx, use)
    came_to = {CounterKind.BYTES: use.sent, CounterKind.ROWS: use.rows, CounterKind.SECONDS: seconds}
    if use.kind is KindOfUse.DELIVERY and use.sent > 0:
        # Nobody counts the rows of a file that was sent in part: they count as sent.
        del came_to[CounterKind.ROWS]
    return came_to


def meter(tx: Transaction, use: Use, outcome: Outcome) -> None:
    """Write what a closed use came to, for those who make prices of it."""
    if use.state is UseState.CLOSED:
        uses = 0 if outcome is Outcome.REFUSED else 1
        store.write_meter(tx, use, uses, _seconds(tx, use))


def _closed(tx: Transaction, house: House, use: Use, outcome: Outcome, spent: Spent) -> Record:
    taken_back = -1 if outcome is Outcome.REFUSED else 0
    units = Units(bytes=use.sent, rows=use.rows, seconds=_seconds(tx, use), uses=taken_back)
    record = _record(tx, use, RecordKind.CLOSED, outcome, units, _status_age(tx, house, use))
    if spent.answer is not None:
        record = structs.replace(record, artefact=render_digest(spent.answer), size=spent.size)
    return structs.replace(record, environment=spent.environment)


def _seconds(tx: Transaction, use: Use) -> int:
    """How long a use has lasted; nothing where the clock was set back meanwhile, for no record says less."""
    return max(int((tx.now - use.opened_at).total_seconds()), 0)


def _status_age(tx: Transaction, house: House, use: Use) -> timedelta:
    consumer = known_party(tx.connection, use.consumer, house.welcome, tx.now)
    return timedelta.max if consumer is None else consumer.standing.age


def _record(
    tx: Transaction, use: Use, kind: RecordKind, outcome: Outcome | None, units: Units, age: timedelta
) -> Record:
    """A record as it goes to the ledger under its commitment; it names the consumer, never the caller."""
    return Record(
        use=use.id,
        contract=use.contract_id,
        kind=kind,
        at=render_time(tx.now),
        consumer=use.consumer,
        product=use.product_id,
        artefact=render_digest(use.artefact),
        outcome=None if outcome is None else str(outcome),
        size=use.size,
        status_age=None if age == timedelta.max else int(age.total_seconds()),
        units=units,
    )
