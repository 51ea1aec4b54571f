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

import msgspec
import pytest
from abroad import CLIENT, SECRET, Chamber, Wallet
from edc import Door, Edc, SaidNoError, hang_up, prepared
from harness import Origin, peer, pulled
from jars import DCP, NotHereError, classpath

from entrepot.identity import CredentialForm
from entrepot.node import making
from entrepot.node.settings import Guests, Settings, SpaceRules, Status
from entrepot.values import DataType, Did, data_code
from space import Running, Space, agrees_with_ledger, found_space, records, wait_for

SCOPE = "org.eclipse.dspace.dcp.vc.type:MembershipCredential:read"
CONTENT = b"a line of what we offer\n" * 5_000
QUERY = "EntrepotQuery-PULL"
BY_PLACE = "SELECT place, count(*) AS people FROM stays GROUP BY place ORDER BY place"
INDEX = 7


@pytest.fixture(scope="module")
def chamber() -> Iterator[Chamber]:
    issuer = Chamber()
    yield issuer
    issuer.close()


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
    rules = SpaceRules(place="3101", one_sided_up_to="L2")
    running = found_space(
        tmp_path_factory.mktemp("host"), rules=rules, status=Status(max_age=3600, resign=600, poll=1)
    )
    try:
        _welcome(running, chamber, wallet, connector, origin)
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
    try:
        classpath(DCP)
    except NotHereError as reason:
        pytest.skip(str(reason))
    runtime = prepared(
        tmp_path_factory.mktemp("edc-guest"),
        wallet.did,
        DCP,
        {
            "edc.iam.issuer.id": wallet.did,
            "edc.iam.did.web.use.https": "false",
            "edc.iam.credential.revocation.mimetype": "application/vc+ld+json",
            "interop.sts.url": f"{wallet.url}/token",
            "interop.sts.client": CLIENT,
            "interop.sts.secret": SECRET,
            "interop.scope": SCOPE,
        },
    )
    yield runtime
    runtime.stop()


@pytest.fixture(scope="module")
def product(host: Space) -> str:
    return host.offer(CONTENT, uses=1_000)


@pytest.fixture(scope="module")
def agreement(host: Space, connector: Edc, product: str) -> str:
    """An agreement of the guest with our provider, by its id in the EDC."""
    return _agreed(host, connector, product)


def test_a_guest_pulls_what_it_has_agreed_on(host: Space, connector: Edc, agreement: str) -> None:
    """Whoever proves who it is, to an owner that trusts who says so, needs nothing of ours to use data."""
    signed = connector.agreement(agreement)["agreementId"]
    key = connector.transfer(peer(host.provider), agreement)
    assert pulled(_stored(connector, key)) == (200, CONTENT)

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
    door = _door(host, connector, _agreed(host, connector, _table(host, tmp_path)), QUERY)

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
    door = _door(host, connector, agreement)
    assert pulled(door) == (200, CONTENT)

    chamber.revoked.add(INDEX)

    wait_for("a refusal", lambda: pulled(door)[0] == 403)
    _ends_refused(connector, connector.transfer(peer(host.provider), agreement))

    wallet.held[:] = [chamber.says(wallet.did, INDEX + 1)]
    wait_for("a guest again", lambda: _browses(connector, host))  # not asked again at once: `JUST_NOW`
    assert pulled(_door(host, connector, agreement)) == (200, CONTENT)
    assert pulled(door) == (200, CONTENT)


def test_a_guest_whose_credential_runs_out_uses_nothing_more(
    host: Space, connector: Edc, agreement: str, chamber: Chamber, wallet: Wallet
) -> None:
    """Between the start of its transfer and a use, with nobody there to revoke anything."""
    usual = [*wallet.held]
    wallet.held[:] = [chamber.says(wallet.did, INDEX + 2, timedelta(seconds=30))]
    _restarted(host.provider)  # which asks anew, as it would in a minute
    door = _door(host, connector, agreement)
    assert pulled(door) == (200, CONTENT)

    wait_for("a refusal", lambda: pulled(door)[0] == 403)

    wallet.held[:] = usual
    assert pulled(_door(host, connector, agreement)) == (200, CONTENT)


def test_a_guest_of_an_issuer_that_the_owner_trusts_no_longer_is_a_stranger(
    host: Space, connector: Edc, agreement: str
) -> None:
    """Though its agreement stands, and a door: it is shown nothing, and given nothing."""
    us, door = peer(host.provider), _door(host, connector, agreement)
    path = host.provider.folder / making.SETTINGS
    as_it_was = path.read_bytes()
    making.write_settings(msgspec.structs.replace(Settings.read(path), guests=Guests()), path)
    _restarted(host.provider)
    try:
        assert pulled(door)[0] == 403
        with pytest.raises(SaidNoError):
            connector.catalog(us)
        _ends_refused(connector, connector.transfer(us, agreement))
    finally:
        path.write_bytes(as_it_was)
        _restarted(host.provider)
    assert pulled(door) == (200, CONTENT)


def test_another_holders_credential_makes_no_guest(
    host: Space, connector: Edc, agreement: str, chamber: Chamber, wallet: Wallet
) -> None:
    """Who shows what a trusted issuer says of somebody else opens nothing, even under its own agreement."""
    usual = [*wallet.held]
    wallet.held[:] = [chamber.says(Did("did:web:somebody.example"), INDEX + 3)]
    _restarted(host.provider)  # which asks anew, as it would in a minute
    try:
        with pytest.raises(SaidNoError):
            connector.catalog(peer(host.provider))
        _ends_refused(connector, connector.transfer(peer(host.provider), agreement))
    finally:
        wallet.held[:] = usual


def _restarted(node: Running) -> None:
    hang_up([int(node.public.rpartition(":")[2])])
    node.stop()
    node.start()
    wait_for("a node that was restarted", node.is_up)


def _browses(connector: Edc, host: Space) -> bool:
    try:
        connector.catalog(peer(host.provider))
    except SaidNoError:
        return False
    return True


def _ends_refused(connector: Edc, key: str) -> None:
    wait_for(
        "the end of a transfer that is refused",
        lambda: connector.transfer_process(key)["state"] == "TERMINATED",
    )


def _welcome(running: Space, chamber: Chamber, wallet: Wallet, connector: Edc, origin: Origin) -> None:
    """EDC 0.15.1 reads presentations of the older form only: guests are shown that, members the newer."""
    node = running.provider
    node.ask("POST", "/owner/credential-requests", {"types": ["MembershipCredential"], "form": "vc11"})
    wait_for("the older form", lambda: _holds_older_form(running))
    node.stop()
    path = node.folder / making.SETTINGS
    settings = Settings.read(path)
    guests = Guests(issuers=(chamber.did,), forms=(CredentialForm.VC11,))
    served = f"http://127.0.0.1:{connector.ports['protocol']}"
    outgoing = making.allow(settings.outgoing, [chamber.url, wallet.url, served, origin.url])
    making.write_settings(msgspec.structs.replace(settings, guests=guests, outgoing=outgoing), path)
    node.start()
    wait_for("a node", node.is_up)


def _holds_older_form(running: Space) -> bool:
    running.provider.ask("GET", "/owner/credential-requests")
    held = running.provider.ask("GET", "/owner/credentials")
    return CredentialForm.VC11.value in {credential["form"] for credential in held}


def _closed(host: Space, process: str) -> str:
    """The use of a process, once it is closed."""
    found = host.provider.rows("SELECT id FROM use WHERE process_id = ? AND state = 'closed'", process)
    return str(found[0][0]) if found else ""


def _is_anchored(host: Space) -> bool:
    return not host.provider.rows(
        "SELECT 1 FROM ledger_record WHERE number IS NULL"
    ) and not host.provider.rows("SELECT 1 FROM ledger_batch WHERE position IS NULL")


def _agreed(host: Space, connector: Edc, product: str) -> str:
    us = peer(host.provider)
    return connector.agreed(connector.negotiate(us, connector.offer_of(us, product)))


def _door(host: Space, connector: Edc, agreement: str, kind: str = "HttpData-PULL") -> Door:
    key = connector.transfer(peer(host.provider), agreement, kind)
    return _stored(connector, key)


def _stored(connector: Edc, key: str) -> Door:
    """What EDC stores of a transfer, a moment after it has started."""
    connector.reaches(f"/transferprocesses/{key}", "STARTED")

    def look() -> Door | None:
        try:
            return connector.door(key)
        except SaidNoError as no:
            if no.status != 404:
                raise
            return None

    return wait_for("its data address", look)


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
