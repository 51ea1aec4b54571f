"""A real EDC under the Decentralized Claims Protocol: its identity is a wallet of ours.

The node is an ordinary member of our space; through its token service and its credential service the EDC
proves that membership, and asks for that of others.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from edc import MEMBERSHIP, Edc, Peer, by_dcp, prepared
from harness import CONTEXT, fetched, peer
from host import hold_the_older_form
from jars import DCP
from runtime import call, hang_up
from town import resettle

from entrepot.identity import CredentialForm
from entrepot.node import making
from entrepot.node.settings import Settings
from space import Running, Space, found_space, wait_for


@pytest.fixture(scope="module")
def street(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    """A space without any test identity: everybody proves who it is."""
    fetched(DCP)
    running = found_space(tmp_path_factory.mktemp("street"))
    try:
        _show_the_older_form(running.provider)
        running.offer(b"for members", uses=1)
        yield running
    finally:
        hang_up(int(node.public.rpartition(":")[2]) for node in running.nodes)
        running.stop()


@pytest.fixture(scope="module")
def connector(street: Space, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edc]:
    """The EDC; the space's consumer holds its identity."""
    identity = street.consumer
    client = _client(identity, "edc")
    runtime = prepared(
        tmp_path_factory.mktemp("edc-dcp"),
        identity.did,
        DCP,
        {
            **by_dcp(
                identity.did, f"http://{identity.public}/dcp/sts/token", client["name"], client["secret"]
            ),
            "edc.iam.trusted-issuer.space.id": street.operator.did,
        },
    )
    runtime.start()
    try:
        wait_for("an EDC with DCP", runtime.is_up)
        yield runtime
    finally:
        runtime.stop()


def test_an_edc_reads_our_catalogue_by_the_membership_that_it_proves(street: Space, connector: Edc) -> None:
    """Without this a connector of the field is a stranger, whatever credentials it holds."""
    ((product,),) = street.provider.rows("SELECT id FROM product")

    shown = connector.catalog(peer(street.provider))

    assert product in [dataset["@id"] for dataset in shown["dataset"]]


def test_an_edc_shows_its_catalogue_to_the_membership_that_we_prove(street: Space, connector: Edc) -> None:
    """Whatever a verifier of the field asks of our credentials, it must be able to believe the answer."""
    port = connector.ports["protocol"]
    reader = _client(street.provider, "reader")
    token = _token(street.provider, reader, connector.peer)
    body = f'{{"@context": ["{CONTEXT}"], "@type": "CatalogRequestMessage"}}'
    path = "/protocol/2025-1/catalog/request"

    status, shown = call("POST", port, path, body, {"authorization": f"Bearer {token}"})
    other = _token(street.provider, reader, Peer("did:web:other.example", ""))
    refused, _ = call("POST", port, path, body, {"authorization": f"Bearer {other}"})

    assert (status, '"Catalog"' in shown) == (200, True), shown
    assert refused == 401


def _show_the_older_form(node: Running) -> None:
    """EDC 0.15.1 reads presentations of data model 2.0 only in an envelope that DCP does not ask for."""
    hold_the_older_form(node)
    wallet = Settings.read(node.folder / making.SETTINGS).wallet
    resettle(node, wallet=msgspec.structs.replace(wallet, forms=(CredentialForm.VC11,)))


def _client(node: Running, name: str) -> dict[str, Any]:
    """A client of a node's token service, with its secret."""
    found: dict[str, Any] = node.ask("POST", "/owner/token-clients", {"name": name, "scopes": [MEMBERSHIP]})
    return found


def _token(node: Running, client: Mapping[str, Any], audience: Peer) -> str:
    """A token that says who a node is, and lets its receiver see the node's membership."""
    form = {
        "grant_type": "client_credentials",
        "client_id": client["name"],
        "client_secret": client["secret"],
        "audience": audience.id,
        "bearer_access_scope": MEMBERSHIP,
    }
    headers = {"content-type": "application/x-www-form-urlencoded"}
    port = int(node.public.rpartition(":")[2])
    status, said = call("POST", port, "/dcp/sts/token", urlencode(form), headers)
    assert status == 200, said
    token: str = json.loads(said)["access_token"]
    return token
