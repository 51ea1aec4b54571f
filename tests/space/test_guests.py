"""A guest: a member of another space, let in by a connector whose owner trusts that space's platform.

Both sides are nodes of ours here, each in a space of its own, and neither signs the other's contracts.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest

from entrepot.node import making
from entrepot.node.settings import Guests, Settings, SpaceRules, Status
from entrepot.values import Did
from space import Acquiring, Running, SaidNoError, Space, found_space, made_bytes, records, wait_for

NEWS = Status(max_age=3600, resign=1, poll=1)
CALLS = "EntrepotApi-PULL"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """The host's space: its operator files contracts of one signature up to L2."""
    rules = SpaceRules(place="3101", one_sided_up_to="L2")
    running = found_space(tmp_path_factory.mktemp("home"), rules=rules, status=NEWS)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def abroad(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """Another space, with a platform and members of its own."""
    rules = SpaceRules(place="3101", one_sided_unregistered=True)
    running = found_space(tmp_path_factory.mktemp("abroad"), rules=rules, status=NEWS)
    yield running
    running.stop()


def test_a_member_of_another_space_uses_data_here_for_as_long_as_it_is_one(
    home: Space, abroad: Space, tmp_path: Path
) -> None:
    """From stranger to guest, from promise to data and records, and back: one step needs the other.

    Its credential, its platform's status list and keys are verified as any verifier of the field would.
    Before the owner trusts that platform it is a stranger; when it is shut out there it is one again, and
    the door that stands open to it gives nothing more.
    """
    host, guest = home.provider, abroad.consumer
    content = made_bytes(1_000, seed=11)
    file, table = home.offer(content, uses=5), _table(home, tmp_path)
    _restarted(guest, trusts=home, allow=home)
    _refused(guest, host)  # a stranger

    _restarted(host, trusts=abroad, allow=abroad)
    assert file in [row["product"] for row in _seen(guest, host)]

    delivery = _begun(abroad, host, file, tmp_path / "file")
    use = delivery.received().use
    assert delivery.target.read_bytes() == content
    wait_for("two records", lambda: len(records(host, use)) == 2)
    assert [(r["consumer"], r["kind"]) for r in records(host, use)] == [
        (guest.did, "opened"),
        (guest.did, "closed"),
    ]
    for side in (host, guest):
        assert {c["oneSided"] for c in side.ask("GET", "/owner/contracts")["contracts"]} == {True}

    called = _begun(abroad, host, table, tmp_path / "called", CALLS).received()
    abroad.operator.ask("POST", f"/owner/members/{quote(guest.did, safe='')}/revoke")
    wait_for("what its platform says", lambda: _against(host, guest))
    again = _begun(abroad, host, table, tmp_path / "again", CALLS, called.agreement).ended()
    assert again.state == "failed"
    assert "the guest is let in no longer" in again.problem, again
    _refused(guest, host)


def test_who_is_no_guest_of_the_owner_is_a_stranger_though_a_contract_stands(
    home: Space, abroad: Space, tmp_path: Path
) -> None:
    """The owner trusts the platform no longer: an agreement and an open door are worth nothing then."""
    abroad = replace(abroad, consumer=abroad.provider)
    host, guest = home.provider, abroad.consumer
    table = _table(home, tmp_path)
    _restarted(guest, trusts=home, allow=home)
    _restarted(host, trusts=abroad, allow=abroad)
    called = _begun(abroad, host, table, tmp_path / "called", CALLS).received()

    _restarted(host)

    again = _begun(abroad, host, table, tmp_path / "again", CALLS, called.agreement).ended()
    assert again.state == "failed"
    assert "not trusted here" in again.problem, again
    _refused(guest, host)


def _restarted(node: Running, trusts: Space | None = None, allow: Space | None = None) -> None:
    """Start a node anew, as host of the members of one other space, or of nobody's."""
    node.stop()
    path = node.folder / making.SETTINGS
    before = Settings.read(path)
    outgoing = making.allow(before.outgoing, [n.origin for n in allow.nodes] if allow else [])
    guests = Guests(issuers=(Did(trusts.operator.did),)) if trusts else Guests()
    making.write_settings(msgspec.structs.replace(before, outgoing=outgoing, guests=guests), path)
    node.start()
    wait_for("a node that was restarted", node.is_up)


def _table(home: Space, folder: Path) -> str:
    file = folder / "table.csv"
    file.write_text("a,b\n1,2\n")
    return home.offer_table(file, uses=10)


def _begun(
    abroad: Space,
    host: Running,
    product: str,
    target: Path,
    kind: str = "HttpData-PULL",
    agreement: str | None = None,
) -> Acquiring:
    body = {
        "product": product,
        "provider": host.did,
        "target": str(target),
        "format": kind,
        "agreement": agreement,
        "below": "items" if kind == CALLS else "",
    }
    abroad.consumer.ask("POST", "/owner/uses", body)
    return Acquiring(abroad, target)


def _against(host: Running, guest: Running) -> str:
    """What the host knows against a guest."""
    ((said,),) = host.rows("SELECT against FROM known_guest WHERE did = ?", guest.did)
    return str(said)


def _seen(guest: Running, host: Running) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = guest.ask("GET", f"/owner/catalogues/{quote(host.did, safe='')}")
    return rows


def _refused(guest: Running, host: Running) -> None:
    with pytest.raises(SaidNoError, match="answered 404"):
        _seen(guest, host)
