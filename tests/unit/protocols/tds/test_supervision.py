"""What a supervisor may read, and that every reading is written down."""

import asyncio
import json
from datetime import timedelta

import pytest
from entrepot_space_world import ALICE, BOB, EVE, OPERATOR, REGULATOR, Party
from entrepot_tds_net import Net

from entrepot import oversight, space
from entrepot.oversight import OpeningsRequest, Side
from entrepot.protocols import tds
from entrepot.values import ConflictError, NotFoundError, RefusedError, TrustError, render_time


def request(
    net: Net, by: Party = REGULATOR, *, use: str = "", of: str = "r1", why: str = "a complaint"
) -> bytes:
    content = OpeningsRequest(at=render_time(net.now), contract="c1", id=of, why=why, use=use)
    return tds.sign_openings_request(content, by.evidence)


def asked(net: Net, party: Party) -> list[oversight.WrittenRequest]:
    return net.node(party).journal.read_now(oversight.requests)


def events(net: Net, party: Party | None, name: str) -> int:
    journal = net.world.journal if party is None else net.node(party).journal
    query = "SELECT count(*) FROM audit_event WHERE name = ?"
    return journal.read_now(lambda c: c.exec_driver_sql(query, (name,)).scalar_one())


def test_a_supervisor_reads_the_register_and_that_is_written_down(net: Net) -> None:
    """A regulator could not see which contracts there are, or could look unseen."""
    contract_id = net.contract()
    (entry,) = asyncio.run(net.client(REGULATOR).register()).entries

    assert (entry.contract, entry.state, {*entry.parties}) == (contract_id, "filed", {ALICE.did, BOB.did})
    assert entry.envelope
    assert events(net, None, "oversight:register:read") == 1


@pytest.mark.parametrize("by", [ALICE, EVE], ids=["a party", "another member"])
def test_nobody_else_reads_it(net: Net, by: Party) -> None:
    """Who has contracts with whom is nobody's business but the supervisor's."""
    net.contract()
    with pytest.raises(RefusedError):
        asyncio.run(net.client(by).register())


def test_a_supervisor_sees_who_has_acknowledged_its_order(net: Net) -> None:
    """Nobody could tell whether a stop had arrived."""
    contract_id = net.contract()
    order = tds.sign_stop(contract_id, "risk", net.now, "o1", REGULATOR.evidence)
    deadline = net.now + timedelta(hours=1)
    net.node(REGULATOR).journal.write_now(
        lambda tx: tds.tell_stop(tx, order, contract_id, OPERATOR.did, deadline)
    )
    with pytest.raises(NotFoundError):
        asyncio.run(net.client(REGULATOR).acknowledgements("o1"))
    net.run()

    found = asyncio.run(net.client(REGULATOR).acknowledgements("o1"))
    assert {p.party: bool(p.acknowledged_at) for p in found.parties} == {ALICE.did: True, BOB.did: True}
    with pytest.raises(RefusedError):
        asyncio.run(net.client(EVE).acknowledgements("o1"))


def test_openings_are_given_to_a_supervisor_and_that_is_written_down(net: Net) -> None:
    """A party could not know who has looked into its records, or when, or why."""
    client = net.client(REGULATOR)
    raw = request(net)

    assert json.loads(asyncio.run(client.openings(ALICE.did, raw))) == {"contract": "c1"}
    assert asyncio.run(client.openings(ALICE.did, request(net, use="u1", of="r2"))) == b"c1 u1"
    assert asyncio.run(client.openings(ALICE.did, raw))

    assert {(r.supervisor, r.use, r.why) for r in asked(net, ALICE)} == {
        (REGULATOR.did, "", "a complaint"),
        (REGULATOR.did, "u1", "a complaint"),
    }
    assert events(net, ALICE, "oversight:openings:give") == 2


def test_a_request_under_a_known_id_with_other_words_is_refused(net: Net) -> None:
    """A reason could be replaced afterwards by a better one."""
    client = net.client(REGULATOR)
    asyncio.run(client.openings(ALICE.did, request(net)))
    with pytest.raises(ConflictError):
        asyncio.run(client.openings(ALICE.did, request(net, why="another reason")))


def test_nobody_else_gets_openings(net: Net) -> None:
    """Openings say who used what; a member that may not ask gets nothing, and nothing is given twice."""
    with pytest.raises(RefusedError):
        asyncio.run(net.client(EVE).openings(ALICE.did, request(net, EVE)))
    with pytest.raises(TrustError):
        asyncio.run(net.client(EVE).openings(ALICE.did, request(net, REGULATOR)))
    assert asked(net, ALICE) == []


def test_the_other_party_of_a_contract_gets_the_openings_of_its_own_uses(net: Net) -> None:
    """A consumer could not lay its own records beside the provider's; and nobody looks unseen."""
    contract_id = net.contract()
    at = render_time(net.now)
    content = OpeningsRequest(at=at, contract=contract_id, id="r7", why="a use of ours", use="u1")

    given = asyncio.run(net.client(BOB).openings(ALICE.did, tds.sign_openings_request(content, BOB.evidence)))
    assert given == f"{contract_id} u1".encode()
    assert [(r.supervisor, r.use) for r in asked(net, ALICE)] == [(BOB.did, "u1")]
    for other in ("c1", contract_id):
        strange = OpeningsRequest(at=at, contract=other, id="r8", why="curious", use="u1")
        with pytest.raises(RefusedError):
            asyncio.run(net.client(EVE).openings(ALICE.did, tds.sign_openings_request(strange, EVE.evidence)))


def test_the_supervisor_writes_its_own_request_down_before_it_is_sent(net: Net) -> None:
    """A supervisor could ask and deny it."""
    node = net.node(REGULATOR)
    statement = space.read_statement(request(net), OpeningsRequest)
    for new in (True, False):
        written = node.journal.write_now(
            lambda tx: oversight.write_down(tx, statement, Side.SUPERVISOR, ALICE.did)
        )
        assert written is new
    assert [(r.party, r.raw) for r in asked(net, REGULATOR)] == [(ALICE.did, statement.raw)]
    assert events(net, REGULATOR, "oversight:openings:ask") == 1
