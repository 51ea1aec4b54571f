"""A negotiation that is given up while its contract is filed: in the end nobody holds it for one."""

from collections.abc import Callable

import pytest
from entrepot_space_world import ALICE, BOB, OPERATOR, Party
from entrepot_tds_net import Net

from entrepot import contracts, space
from entrepot.contracts import Move, Next, Reason, State, Status
from entrepot.identity import to_base64url
from entrepot.space import FilingState
from entrepot.values import ContractId, Grade, canonical

NO = Next(Move.TERMINATE, Reason("changed", ("we have changed our mind",)))


def give_up(net: Net, party: Party) -> None:
    node = net.node(party)
    of = node.negotiation().exchange.id
    node.journal.write_now(lambda tx: contracts.move(tx, node.desk, of, NO))


def breaks(net: Net, part: str, fault: str) -> Callable[[], None]:
    """Break every call to an address with `part` in it; gives what heals that."""
    net.broken.append(lambda _m, url: fault if part in url else None)
    return net.broken.pop


def ids(net: Net) -> list[ContractId]:
    return [c.contract_id for c in net.world.journal.read_now(space.contracts)]


def over(net: Net) -> None:
    """Both parties, the platform and the ledger agree that there is no contract, or none any more."""
    assert net.node(ALICE).state() is net.node(BOB).state() is State.TERMINATED
    for party in (ALICE, BOB):
        held = net.node(party).journal.read_now(contracts.contracts_held)
        assert {c.status for c in held} <= {Status.ENDED}
        assert net.node(party).journal.read_now(contracts.voids_untold) == []
        assert net.node(party).journal.read_now(contracts.ends_untold) == []
    for contract_id in ids(net):
        assert net.world.contract(contract_id).state is FilingState.ENDED
        on_ledger = net.world.head.state.get(f"contracts/{contract_id}")
        assert on_ledger is None or canonical.decode(on_ledger)["ended"] == "agreement"


@pytest.mark.parametrize("party", [ALICE, BOB])
@pytest.mark.parametrize("rounds", range(1, 8))
def test_a_negotiation_given_up_at_any_moment_leaves_no_contract_behind(
    net: Net, rounds: int, party: Party
) -> None:
    """The ledger would hold for valid what a party has ended."""
    net.ask(net.world.product())
    net.run(rounds=rounds)
    assert net.node(party).state() is not State.FINALIZED
    give_up(net, party)
    net.run(rounds=80)

    over(net)


@pytest.mark.parametrize("days", [0, 1, 3])
def test_a_filing_whose_answer_came_too_late_is_ended_once_the_platform_is_back(net: Net, days: int) -> None:
    """A provider that waited in vain would leave a contract filed that it will never perform."""
    net.broken.append(lambda _m, url: "unanswered" if url.endswith("/contractRegistrate") else None)
    net.ask(net.world.product())
    net.run(rounds=20)
    (contract_id,) = ids(net)
    assert net.world.contract(contract_id).state is FilingState.FILED
    net.world.later(hours=25)
    down = breaks(net, "operator.example", "lost")
    net.run(rounds=20)
    for _ in range(days * 24):
        net.world.later(hours=1)
        net.run(rounds=1)
    assert net.world.contract(contract_id).state is FilingState.FILED

    down()
    net.world.later(hours=2)
    net.run(rounds=80)

    over(net)


def test_whoever_is_killed_before_it_has_told_tells_it_then(net: Net) -> None:
    """What was decided and not yet signed would be forgotten."""
    net.broken.append(lambda _m, url: "unanswered" if url.endswith("/contractRegistrate") else None)
    net.ask(net.world.product())
    net.run(rounds=20)
    give_up(net, ALICE)
    down = breaks(net, "operator.example", "lost")
    for _ in range(6):
        net.run(rounds=1)
        net.node(ALICE).kill()
        net.kill_platform()

    down()
    net.world.later(hours=2)
    net.run(rounds=80)

    over(net)


def test_a_repeated_filing_that_comes_after_the_end_is_refused(net: Net) -> None:
    """A message that was late on its way would file what is over."""
    down = breaks(net, "/contractRegistrate", "lost")
    net.ask(net.world.product())
    net.run(rounds=20)
    provider = net.node(ALICE).negotiation()
    give_up(net, ALICE)
    net.run(rounds=80)
    down()
    (contract_id,) = ids(net)
    assert net.world.contract(contract_id).state is FilingState.ENDED

    payload = contracts.payload_of(provider)
    given = contracts.open_envelope(provider.signing.envelope).signatures
    signed = [ALICE.sign(payload, contracts.Signatory.PROVIDER), *given]
    body = {"contractExpansionItem": {}, "envelope": to_base64url(contracts.seal_envelope(payload, signed))}
    answer = net.post(ALICE, OPERATOR, "platform/contractRegistrate", canonical.encode(body))

    assert answer.status == 403
    assert b"ended before" in answer.body
    over(net)


def test_a_consumer_that_signed_alone_and_gives_up_ends_what_it_filed(net: Net) -> None:
    """One-sided contracts would stay filed as well."""
    net.world.one_sided_up_to = Grade.L2
    net.kill_platform()
    alice = net.node(ALICE)
    alice.speaks = False
    alice.kill()
    net.broken.append(lambda _m, url: "unanswered" if url.endswith("/contractRegistrate") else None)
    product = net.world.product()
    net.ask(product)
    net.run(rounds=20)
    filed = [c for c in net.world.journal.read_now(space.contracts) if c.holder == BOB.did]
    assert [c.state for c in filed] == [FilingState.FILED]

    give_up(net, BOB)
    net.run(rounds=80)

    assert net.world.contract(filed[0].contract_id).state is FilingState.ENDED
