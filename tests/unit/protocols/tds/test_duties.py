"""The consumer's word that it did what it owed, on its way to the provider."""

from datetime import timedelta

from entrepot_space_world import ALICE, BOB, EVE, Party
from entrepot_tds_net import Net

from entrepot import space, use
from entrepot.policy import Duty, Moment, Policy, Rule
from entrepot.use import Owed, make_notice
from entrepot.values import UseId

MONTH = timedelta(days=30)
OWING = Policy((Rule("use", (), (Duty("inform"), Duty("delete", Moment.AFTER, MONTH))),))


def agreed(net: Net) -> None:
    net.ask(net.world.product(policy=OWING))
    net.run()


def notice(net: Net, duty: str, use_id: str | None = None, by: Party = BOB) -> bytes:
    contract = net.node(BOB).contract()
    return make_notice(
        contract, duty, None if use_id is None else UseId(use_id), by.did, net.now, by.evidence
    )


def owed(net: Net, party: Party) -> list[Owed]:
    node = net.node(party)
    agreement_id = node.contract().agreement.id
    return node.journal.read_now(lambda c: use.duties.duties_of(c, agreement_id))


def test_a_notice_reaches_the_provider_as_it_was_signed_and_once(net: Net) -> None:
    """Both sides hold the same proof; a repeat on the way changes nothing."""
    agreed(net)
    node, raw = net.node(BOB), notice(net, "inform")
    net.broken.append(lambda _m, url: "twice" if url.endswith("/dutyPerformance") else None)

    node.journal.write_now(lambda tx: use.keep_own_notice(tx, node.contract(), raw))
    node.tell(ALICE, space.Notice.DUTY, raw)
    net.run()

    for party in (ALICE, BOB):
        (done,) = owed(net, party)
        assert (done.name, done.proof) == ("inform", raw)
        assert done.performed_at is not None


def test_nobody_reports_for_another(net: Net) -> None:
    """A rival could clear or clutter the books of a contract that is none of its own."""
    agreed(net)

    assert net.post(EVE, ALICE, "dutyPerformance", notice(net, "inform")).status == 404
    assert net.post(EVE, ALICE, "dutyPerformance", notice(net, "inform", by=EVE)).status == 404
    assert (
        net.post(BOB, ALICE, "dutyPerformance", notice(net, "delete within P30D", "urn:uuid:1")).status == 404
    )
    assert net.post(BOB, ALICE, "dutyPerformance", b"no notice").status == 400
    assert net.post(None, ALICE, "dutyPerformance", notice(net, "inform")).status == 401
    assert owed(net, ALICE) == []
