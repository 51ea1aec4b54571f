"""A real EDC as guest: its identity is of another space, and its wallet is none of ours (DCP 1.0).

It finds a product, agrees, is given data in each way that it knows, and asks in place. What its issuer says
of it meanwhile counts at once.
"""

import http.client
import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from abroad import CLIENT, SECRET, Chamber, Wallet
from edc import Door, Edc, SaidNoError, by_dcp, prepared
from harness import Origin, fetched, peer, pulled
from host import agreed, browses, ends_refused, found_host, opened, welcome
from jars import DCP
from runtime import hang_up
from town import differently, restarted

from entrepot.node.settings import Guests
from entrepot.values import DataType, Did, data_code
from space import Space, agrees_with_ledger, records, wait_for

CONTENT = b"a line of what we offer\n" * 5_000
QUERY = "EntrepotQuery-PULL"
BY_PLACE = "SELECT place, count(*) AS people FROM stays GROUP BY place ORDER BY place"
INDEX = 7


@pytest.fixture(scope="module")
def wallet(chamber: Chamber) -> Iterator[Wallet]:
    holder = Wallet()
    holder.held.append(chamber.says(holder.did, INDEX))
    yield holder
    holder.close()


@pytest.fixture(scope="module")
def host(
    chamber: Chamber, wallet: Wallet, connector: Edc, origin: Origin, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Space]:
    """A space whose provider welcomes the chamber's members; its operator lets one side file up to L2."""
    wallet.services |= {"DataService": connector.peer.address, "Sink": origin.url}
    running = found_host(tmp_path_factory.mktemp("host"))
    try:
        welcome(running.provider, chamber, [wallet.url, connector.origin, origin.url])
        connector.settings |= {"edc.iam.trusted-issuer.space.id": running.operator.did}
        connector.start()
        wait_for("an EDC with DCP", connector.is_up)
        yield running
    finally:
        hang_up(int(node.public.rpartition(":")[2]) for node in running.nodes)
        running.stop()


@pytest.fixture(scope="module")
def connector(wallet: Wallet, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edc]:
    """The guest; `host` starts it, once it knows whom it is to believe."""
    fetched(DCP)
    runtime = prepared(
        tmp_path_factory.mktemp("edc-guest"),
        wallet.did,
        DCP,
        by_dcp(wallet.did, f"{wallet.url}/token", CLIENT, SECRET),
    )
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def product(host: Space) -> str:
    return host.offer(CONTENT, uses=1_000)


@pytest.fixture(scope="module")
def agreement(host: Space, connector: Edc, product: str) -> str:
    """An agreement of the guest with our provider, by its id in the EDC."""
    return agreed(host, connector, product)


def test_a_guest_pulls_what_it_has_agreed_on(host: Space, connector: Edc, agreement: str) -> None:
    """Whoever proves who it is, to an owner that trusts who says so, needs nothing of ours to use data."""
    signed = connector.agreement(agreement)["agreementId"]
    key = connector.transfer(peer(host.provider), agreement)
    assert pulled(connector.door(key)) == (200, CONTENT)

    (contract,) = (
        c for c in host.provider.ask("GET", "/owner/contracts")["contracts"] if c["agreement"] == signed
    )
    assert (contract["with"], contract["inForce"], contract["oneSided"]) == (connector.id, True, True)
    connector.terminate(key)
    use = wait_for("its end", lambda: _closed(host, connector.transfer_process(key)["correlationId"]))
    wait_for("its records on the ledger", lambda: _is_anchored(host))
    agrees_with_ledger(host.operator, host.provider)
    kept = records(host.provider, use)
    assert [(r["kind"], r["consumer"]) for r in kept] == [(k, connector.id) for k in ("opened", "closed")]


def test_what_a_guest_wants_pushed_arrives_whole(
    host: Space, connector: Edc, agreement: str, origin: Origin
) -> None:
    """It goes to an origin that the guest's own DID names, and both sides complete."""
    target = f"{origin.url}/guest"
    key = connector.transfer(peer(host.provider), agreement, "HttpData-PUSH", target)

    connector.reaches(f"/transferprocesses/{key}", "COMPLETED")

    assert origin.posted["/guest"] == CONTENT


def test_a_guest_asks_in_place(host: Space, connector: Edc, tmp_path: Path) -> None:
    """The data stays: the guest's own client, with the EDC's token, gets an answer about groups."""
    door = opened(host, connector, agreed(host, connector, _table(host, tmp_path)), QUERY)

    status, answer = _asked(door, BY_PLACE)
    refused, why = _asked(door, "SELECT * FROM stays")

    assert (status, json.loads(answer)["rows"]) == (200, [["harbour", 40], ["town", 60]])
    assert (refused, json.loads(why)["rule"]) == (403, "rows")


def test_a_guest_whose_issuer_takes_its_word_back_uses_nothing_more(
    host: Space, connector: Edc, agreement: str, chamber: Chamber, wallet: Wallet
) -> None:
    """Nobody tells us of it: the provider asks the issuers of the guests at its doors again and again.

    With another credential it is a guest again, within seconds, and its door opens as before.
    """
    door = opened(host, connector, agreement)
    assert pulled(door) == (200, CONTENT)

    chamber.revoked.add(INDEX)

    wait_for("a refusal", lambda: pulled(door)[0] == 403)
    ends_refused(connector, connector.transfer(peer(host.provider), agreement))

    wallet.held[:] = [chamber.says(wallet.did, INDEX + 1)]
    wait_for("a guest again", lambda: browses(connector, host))  # not asked again at once: `JUST_NOW`
    assert pulled(opened(host, connector, agreement)) == (200, CONTENT)
    assert pulled(door) == (200, CONTENT)


def test_a_guest_whose_credential_runs_out_uses_nothing_more(
    host: Space, connector: Edc, agreement: str, chamber: Chamber, wallet: Wallet
) -> None:
    """Between the start of its transfer and a use, with nobody there to revoke anything."""
    usual = [*wallet.held]
    wallet.held[:] = [chamber.says(wallet.did, INDEX + 2, timedelta(seconds=30))]
    restarted(host.provider)
    door = opened(host, connector, agreement)
    assert pulled(door) == (200, CONTENT)

    wait_for("a refusal", lambda: pulled(door)[0] == 403)

    wallet.held[:] = usual
    assert pulled(opened(host, connector, agreement)) == (200, CONTENT)


def test_a_guest_of_an_issuer_that_the_owner_trusts_no_longer_is_a_stranger(
    host: Space, connector: Edc, agreement: str
) -> None:
    """Though its agreement stands, and a door: it is shown nothing, and given nothing."""
    us, door = peer(host.provider), opened(host, connector, agreement)
    with differently(host.provider, guests=Guests()):
        assert pulled(door)[0] == 403
        with pytest.raises(SaidNoError):
            connector.catalog(us)
        ends_refused(connector, connector.transfer(us, agreement))
    assert pulled(door) == (200, CONTENT)


def test_another_holders_credential_makes_no_guest(
    host: Space, connector: Edc, agreement: str, chamber: Chamber, wallet: Wallet
) -> None:
    """Who shows what a trusted issuer says of somebody else opens nothing, even under its own agreement."""
    usual = [*wallet.held]
    wallet.held[:] = [chamber.says(Did("did:web:somebody.example"), INDEX + 3)]
    restarted(host.provider)
    try:
        with pytest.raises(SaidNoError):
            connector.catalog(peer(host.provider))
        ends_refused(connector, connector.transfer(peer(host.provider), agreement))
    finally:
        wallet.held[:] = usual


def _closed(host: Space, process: str) -> str:
    """The use of a process, once it is closed."""
    found = host.provider.rows("SELECT id FROM use WHERE process_id = ? AND state = 'closed'", process)
    return str(found[0][0]) if found else ""


def _is_anchored(host: Space) -> bool:
    return not host.provider.rows(
        "SELECT 1 FROM ledger_record WHERE number IS NULL"
    ) and not host.provider.rows("SELECT 1 FROM ledger_batch WHERE position IS NULL")


def _table(host: Space, folder: Path) -> str:
    """A table of people in two places, offered for questions about groups of ten and more."""
    file = folder / "stays.csv"
    rows = "".join(f"{n},{'harbour' if n < 40 else 'town'}\n" for n in range(100))
    file.write_text(f"person,place\n{rows}")
    attached = host.provider.ask("POST", "/owner/sources", {"kind": "csv", "where": str(file)})
    constraint = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "10"}
    offered: dict[str, Any] = host.provider.ask(
        "POST",
        "/owner/products",
        {
            "id": data_code(DataType.PRODUCT, host.provider.code, "3101", "Q0000001"),
            "resource": attached["resource"],
            "title": "Stays",
            "description": "Who stayed where",
            "rights": "research",
            "grade": "L2",
            "kinds": ["query"],
            "policy": {"permission": [{"action": "use", "constraint": [constraint]}]},
            "protection": {"table": "stays", "subject": "person", "k": 10, "roles": {"place": "dimension"}},
        },
    )
    listed = "SELECT 1 FROM product WHERE id = ?"
    wait_for("its listing", lambda: host.operator.rows(listed, offered["id"]))
    return str(offered["id"])


def _asked(door: Door, sql: str) -> tuple[int, str]:
    """What comes of a question, as any HTTP client asks it."""
    at = urlsplit(door.endpoint)
    connection = http.client.HTTPConnection(at.netloc, timeout=120)
    try:
        headers = {"authorization": door.authorization, "content-type": "application/json"}
        connection.request("POST", at.path, json.dumps({"sql": sql}), headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()
