"""Ten thousand ways in which messages can be lost, repeated, late and crossing.

    python tests/space/schedules.py --schedules 10000

Each schedule is one negotiation or one transfer process between two nodes of `simulator.py`: rules and
owners make moves while the network misbehaves, then the network is well again and everything comes to
rest. Then both sides must hold the same legal state, with nothing pending, the same terms, and a door
that the consumer's token opens exactly while the process is started. What went wrong is printed with its
seed; `--seed N --schedules 1` runs it again.
"""

import argparse
import random
import sys
import tempfile
import time
import warnings
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection

sys.path.insert(0, str(Path(__file__).parent))

from simulator import FAIR, Node, Tally, Weather, World

from entrepot import contracts
from entrepot.contracts import (
    NEGOTIATION,
    Agreement,
    Contract,
    Listing,
    Move,
    Negotiation,
    Next,
    Offer,
    Party,
    Reason,
    State,
    Status,
)
from entrepot.policy import OPERANDS, Atom, Operator, Policy, Rule
from entrepot.use import process as transfers
from entrepot.use.process import TRANSFER
from entrepot.values import (
    AgreementId,
    ConflictError,
    OfferId,
    ProcessId,
    ProductId,
    TransitionError,
    UtcTime,
    sha256,
)

PRODUCT: Final = ProductId("product")
POLICIES: Final = tuple(
    Policy(permissions=(Rule("use", (Atom(OPERANDS["count"], Operator.LTEQ, n),)),)) for n in range(1, 4)
)
CHAOS: Final = timedelta(seconds=25)


class FaultError(AssertionError):
    """What a schedule must not end in."""


def run_schedule(world: World, seed: int) -> None:
    """Run one schedule to its rest, and judge it."""
    world.rng = rng = random.Random(seed)  # noqa: S311 (schedules are to be repeatable)
    world.weather = _weather(rng)
    for node in world.nodes.values():
        node.known.clear()
        node.respond, node.respond_transfer = contracts.respond, transfers.start_when_in_force
        node.published = _published(needs_person=False)
    begin = rng.choice([_transfer, _transfer, _signed_negotiation, _wild_negotiation, _wild_negotiation])
    begin(world, rng)
    if rng.random() < 0.2:
        node = rng.choice(list(world.nodes.values()))
        world.after(timedelta(seconds=rng.uniform(0, 10)), node.crash)
    if rng.random() < 0.2:
        _break_off(world, rng)
    world.after(CHAOS, lambda: setattr(world, "weather", FAIR))
    world.run()
    _judge(world)


def _weather(rng: random.Random) -> Weather:
    kind = rng.choice(["calm", "lossy", "stormy", "slow"])
    return {
        "calm": Weather(repeated=0.1, slow=0.1),
        "lossy": Weather(lost=0.3, repeated=0.2, slow=0.1, unwell=0.05),
        "stormy": Weather(lost=0.4, repeated=0.4, slow=0.3, late=0.15, unwell=0.1),
        "slow": Weather(lost=0.1, repeated=0.3, slow=0.7, late=0.1),
    }[kind]


def _break_off(world: World, rng: random.Random) -> None:
    """One node cannot be reached for a while; it can still reach others."""
    node = rng.choice(list(world.nodes.values()))
    begins = rng.uniform(0, 5)

    def down() -> None:
        world.weather = replace(world.weather, down=frozenset({node.did}))

    def up() -> None:
        world.weather = replace(world.weather, down=frozenset())

    world.after(timedelta(seconds=begins), down)
    world.after(timedelta(seconds=begins + rng.uniform(1, 15)), up)


def _published(*, needs_person: bool) -> contracts.Published:
    def published(_connection: Connection, offer: Offer) -> Listing:
        return Listing(Offer(OfferId("offer"), offer.target, POLICIES[0]), sha256(b"product"), needs_person)

    return published


def _signed_negotiation(world: World, rng: random.Random) -> None:
    """The product's own rules, signatures and filing included; people approve, counter and withdraw."""
    consumer, provider = world.nodes[Party.CONSUMER], world.nodes[Party.PROVIDER]
    provider.published = _published(needs_person=rng.random() < 0.2)
    offer = Offer(OfferId("offer"), PRODUCT, rng.choice([POLICIES[0], POLICIES[0], POLICIES[1]]))
    begun = consumer.journal.write_now(
        lambda tx: contracts.request_contract(
            tx, consumer.desk, provider.did, provider.base, offer, sha256(b"product")
        )
    )
    consumer.note_own(begun.exchange.id)
    for node in world.nodes.values():
        for _ in range(rng.choice([0, 1, 1, 2])):
            world.after(timedelta(seconds=rng.uniform(0.1, 8)), lambda n=node: _person(n, rng))
        world.after(CHAOS + timedelta(seconds=30), lambda n=node: _person(n, rng))


def _person(node: Node, rng: random.Random) -> None:
    """A person looks at what waits, and decides; now and then somebody withdraws."""
    for process in tuple(node.known):
        found = node.journal.read_now(lambda c, p=process: contracts.read_negotiation(c, p))
        if found is None:
            continue
        chance = rng.random()
        if chance < 0.5:
            _try(node, lambda tx, p=process: contracts.approve(tx, node.desk, p))
        elif chance < 0.75:
            _own_move(node, process, rng, weights={Move.TERMINATE: 1, Move.REQUEST: 3, Move.OFFER: 3})
        node.note_own(process)


def _wild_negotiation(world: World, rng: random.Random) -> None:
    """Rules that follow any arrow of the table, owners that do too, either side first."""
    for node in world.nodes.values():
        node.respond = _wild_responder(node, rng)
    first = rng.choice([Party.CONSUMER, Party.CONSUMER, Party.PROVIDER])
    node, peer = world.nodes[first], world.nodes[first.other]
    offer = Offer(OfferId("offer"), PRODUCT, rng.choice(POLICIES))
    if first is Party.CONSUMER:
        begun = node.journal.write_now(
            lambda tx: contracts.request_contract(tx, node.desk, peer.did, peer.base, offer, None)
        )
    else:
        begun = node.journal.write_now(
            lambda tx: contracts.offer_contract(tx, node.desk, peer.did, peer.base, offer, None)
        )
    node.note_own(begun.exchange.id)
    _restless_owners(world, rng, rng.choice([0, 1, 3, 6]))


def _wild_responder(node: Node, rng: random.Random) -> contracts.Responder:
    def respond(negotiation: Negotiation, now: UtcTime) -> Next | None:
        at = negotiation.exchange
        legal = [m for (s, m, by) in NEGOTIATION.transitions if s is at.state and by is at.party]
        wanted = [m for m in legal if m is not Move.TERMINATE or rng.random() < 0.1]
        if not wanted or rng.random() < 0.1:
            return None
        return _next(node, negotiation, rng.choice(wanted), now, rng)

    return respond


def _next(node: Node, negotiation: Negotiation, move: Move, now: UtcTime, rng: random.Random) -> Next:
    offer = negotiation.offer
    match move:
        case Move.REQUEST | Move.OFFER:
            return Next(move, replace(offer, policy=rng.choice(POLICIES)))
        case Move.AGREE:
            ours = AgreementId(f"agreement {negotiation.exchange.id}")
            peer = negotiation.counterparty
            return Next(move, Agreement(ours, offer.target, offer.policy, node.did, peer, now))
        case Move.TERMINATE:
            return Next(move, Reason("1", ("no longer wanted",)))
        case _:
            return Next(move)


def _transfer(world: World, rng: random.Random) -> None:
    """A transfer process that both owners suspend, start again, complete and terminate as they like."""
    consumer, provider = world.nodes[Party.CONSUMER], world.nodes[Party.PROVIDER]
    contract = _contract(consumer)
    begun = consumer.journal.write_now(
        lambda tx: transfers.request_transfer(tx, consumer.rail, contract, provider.base, "HttpData-PULL")
    )
    consumer.note_own(begun.exchange.id)
    _restless_owners(world, rng, rng.choice([1, 4, 8, 12]))


def _contract(node: Node) -> Contract:
    found = node.journal.read_now(lambda c: contracts.agreement_of(c, AgreementId("standing")))
    assert found is not None
    return found


def _restless_owners(world: World, rng: random.Random, most: int) -> None:
    gentle = {Move.TERMINATE: rng.choice([0.05, 1]), Move.COMPLETE: rng.choice([0.05, 1])}
    nodes = list(world.nodes.values())
    at = rng.choice([0, 0.3, 0.6])
    for _ in range(most):
        at += rng.choice([0.001, 0.02, 0.25, 0.5, 1, 3])
        both = rng.random() < 0.5
        for node in nodes if both else [rng.choice(nodes)]:
            apart = rng.choice([0, 0, 0.001, 0.03])
            world.after(timedelta(seconds=at + apart), lambda n=node: _any_own_move(n, rng, gentle))


def _any_own_move(node: Node, rng: random.Random, weights: dict[Move, float]) -> None:
    for process in tuple(node.known):
        _own_move(node, process, rng, weights)


def _own_move(node: Node, process: ProcessId, rng: random.Random, weights: dict[Move, float]) -> None:
    """The owner of a node wants a move that its table has for the state shown, if it can be made now."""
    found = node.exchange(process)
    if found is None:
        return
    machine, at = found
    legal = [
        m for (s, m, by) in machine.transitions if s is at.state and by is at.party and s is not State.INITIAL
    ]
    chosen = rng.choices(legal, [weights.get(m, 1) for m in legal])[0] if legal else None
    if chosen is None:
        return
    negotiation = node.journal.read_now(lambda c: contracts.read_negotiation(c, process))
    if negotiation is None:
        reason = Reason("1", ("as wanted",)) if chosen in {Move.SUSPEND, Move.TERMINATE} else None
        wanted = Next(chosen, reason)
    else:
        wanted = _next(node, negotiation, chosen, node.world.clock.now, rng)
    _try(node, lambda _tx: None, lambda: node.move(process, wanted))


def _try(node: Node, use_case: Any, act: Any = None) -> None:
    """Do what may come too late: a person is told, and nothing changes."""
    try:
        node.journal.write_now(use_case) if act is None else act()
    except (ConflictError, TransitionError):
        node.world.tally.weather["moves that came too late"] += 1


def _judge(world: World) -> None:
    """Both sides hold one legal state, nothing is pending, and the door is where it should be."""
    consumer, provider = world.nodes[Party.CONSUMER], world.nodes[Party.PROVIDER]
    for process in consumer.known.keys() | provider.known.keys():
        side = consumer if process in consumer.known else provider
        found = side.exchange(process)
        if found is None:
            raise FaultError(f"{process} is gone")
        machine, ours = found
        theirs = None if ours.peer_pid is None else side.peer.exchange(ours.peer_pid)
        if theirs is None:
            if ours.state is not State.TERMINATED:
                raise FaultError(f"{process} is {ours.state} and the peer knows nothing of it")
            continue
        if ours.state is not theirs[1].state or ours.pending or theirs[1].pending:
            raise FaultError(f"{process}: {ours} here, {theirs[1]} there")
        world.tally.ends[machine.name, ours.state] += 1
        both = (ours.id, theirs[1].id) if side is consumer else (theirs[1].id, ours.id)
        if machine is NEGOTIATION:
            _judge_negotiation(consumer, provider, *both)
        else:
            _judge_door(consumer, provider, *both)


def _judge_negotiation(consumer: Node, provider: Node, c: ProcessId, p: ProcessId) -> None:
    a = consumer.journal.read_now(lambda x: contracts.read_negotiation(x, c))
    b = provider.journal.read_now(lambda x: contracts.read_negotiation(x, p))
    assert a is not None
    assert b is not None
    if a.exchange.state in {State.VERIFIED, State.FINALIZED} and a.agreement != b.agreement:
        raise FaultError(f"{c}: the agreements differ")
    if a.exchange.state not in {State.AGREED, State.TERMINATED} and a.offer.policy != b.offer.policy:
        raise FaultError(f"{c}: the terms differ")
    if b.signing.receipt == b"" or a.agreement is None:
        return
    for node, n in ((consumer, a), (provider, b)):
        contract = node.journal.read_now(lambda x, i=a.agreement.id: contracts.agreement_of(x, i))
        expected = Status.PERFORMING if n.exchange.state is State.FINALIZED else Status.ENDED
        if contract is None:
            if node is provider or expected is Status.PERFORMING:
                raise FaultError(f"{c}: filed, but {node.party} does not hold the contract")
        elif contract.status is not expected:
            raise FaultError(f"{c}: {n.exchange.state}, and the {node.party}'s contract {contract.status}")


def _judge_door(consumer: Node, provider: Node, c: ProcessId, p: ProcessId) -> None:
    a = consumer.journal.read_now(lambda x: transfers.read_process(x, c))
    assert a is not None
    opened = provider.journal.read_now(lambda x: transfers.find_door(x, p, a.sealed_token.decode()))
    if (opened is not None) is not (a.exchange.state is State.STARTED):
        raise FaultError(f"{c} is {a.exchange.state}, and its token opens {opened}")


def report(tally: Tally) -> list[str]:
    """Say how often each arrow and each crossing was taken; give those that never were."""
    missing = []
    for machine in (NEGOTIATION, TRANSFER):
        print(f"\n{machine.name}: arrow, sender, times taken")
        for (before, move, by), after in machine.transitions.items():
            count = tally.arrows[machine.name, before, move, by]
            print(f"  {before:>10} -> {after:<10} {move:<10} {by:<9}{count:>9}")
            if not count:
                missing.append(f"{machine.name} {before} {move} {by}")
        print(f"{machine.name}: moves that crossed, the consumer's and the provider's")
        for ours, theirs in sorted(_crossings(machine.name)):
            count = tally.crossings[machine.name, ours, theirs]
            print(f"  {ours:>10} x {theirs:<10} {count:>20}")
            if not count:
                missing.append(f"{machine.name} {ours} x {theirs}")
    print("\nends: " + ", ".join(f"{m} {s} {n}" for (m, s), n in sorted(tally.ends.items())))
    print("network: " + ", ".join(f"{name} {n}" for name, n in sorted(tally.weather.items())))
    return missing


def _crossings(name: str) -> set[tuple[Move, Move]]:
    """Every pair of moves that both sides can make from one state."""
    machine = NEGOTIATION if name == NEGOTIATION.name else TRANSFER
    arrows = [key for key in machine.transitions if key[0] is not State.INITIAL]
    return {
        (ours, theirs)
        for at, ours, by in arrows
        for other, theirs, peer in arrows
        if at is other and by is Party.CONSUMER and peer is Party.PROVIDER
    }


def open_world(folder: Path, deadline: timedelta = timedelta(hours=24)) -> World:
    """Make two nodes with one contract between them that transfers can stand on."""
    world = World(folder, deadline)
    consumer, provider = world.nodes[Party.CONSUMER], world.nodes[Party.PROVIDER]
    agreement = Agreement(
        AgreementId("standing"), PRODUCT, POLICIES[0], provider.did, consumer.did, world.clock.now
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for node in (consumer, provider):
            node.journal.write_now(
                lambda tx, n=node: contracts.hold_insecure_unsigned(tx, agreement, n.party, n.peer.did)
            )
    return world


def run(folder: Path, schedules: int, seed: int) -> tuple[Tally, list[str]]:
    """Run many schedules in one world; give what happened and what went wrong."""
    world, faults = open_world(folder), []
    try:
        for number in range(seed, seed + schedules):
            try:
                run_schedule(world, number)
            except FaultError as fault:
                faults.append(f"seed {number}: {fault}")
    finally:
        world.close()
    return world.tally, faults


def main() -> int:
    parser = argparse.ArgumentParser(description="Run schedules of misbehaving networks.")
    parser.add_argument("--schedules", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0, help="of the first schedule")
    options = parser.parse_args()
    memory = Path("/dev/shm")  # noqa: S108 (a folder of our own below it; what is proved here is no disk)
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        begun = time.monotonic()
        tally, faults = run(Path(folder), options.schedules, options.seed)
    missing = report(tally)
    for fault in faults[:20]:
        print(fault)
    if options.schedules < 1000:
        missing = []
    for arrow in missing:
        print(f"never taken: {arrow}")
    print(f"{options.schedules} schedules, {len(faults)} faults, {time.monotonic() - begun:.0f} s")
    return 1 if faults or missing else 0


if __name__ == "__main__":
    sys.exit(main())
