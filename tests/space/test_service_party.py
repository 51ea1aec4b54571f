"""A third organisation brings an algorithm: real nodes, its person's signature, an end for all three."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest

from entrepot.node import making
from entrepot.node.settings import Listen, Party, Role, Settings
from entrepot.values import DataType, data_code
from space import PASSPHRASE, Running, Space, found_space, free_ports, made_bytes, social_code, wait_for

pytestmark = pytest.mark.timeout(900)
ALGORITHM = f"tide@1.2#sha256:{'5' * 64}"


def with_service_party(space: Space) -> Running:
    """Admit a member that serves; everybody may reach it."""
    public, owner = (f"127.0.0.1:{port}" for port in free_ports(2))
    node = Running(space.root / "service", public, owner, social_code("91330100MA2B0E"))
    invitation = space.operator.ask("POST", "/owner/invitations", {"roles": ["service"]})
    made = making.make_member(
        node.folder,
        role=Role.CONNECTOR,
        invitation=msgspec.convert(invitation, making.InvitationFile),
        party=Party(name="Tides", subject_code=node.code, region="3301"),
        listen=Listen(public=public, owner=owner, url=f"http://{public}"),
        passphrase=PASSPHRASE,
    )
    node.did = made.settings.did
    known = Settings.read(space.provider.folder / making.SETTINGS)
    for each in (*space.nodes, node):
        if each is not node:
            each.stop()
        path = each.folder / making.SETTINGS
        mine = Settings.read(path)
        reached = msgspec.structs.replace(
            known.outgoing, allow_private=(*known.outgoing.allow_private, f"http://{public}")
        )
        mine = msgspec.structs.replace(mine, outgoing=reached, status=known.status, messages=known.messages)
        making.write_settings(mine, path)
        each.start()
    wait_for("four nodes", lambda: all(each.is_up() for each in (*space.nodes, node)))
    path = f"/owner/members/{quote(node.did, safe='')}/admit"
    wait_for("its application", lambda: node.did in _members(space, "applied"))
    space.operator.ask("POST", path)
    wait_for("its admission", lambda: node.did in _members(space, "in-force"))
    wait_for("its credential", lambda: "membership" in node.log.read_text())
    return node


def _members(space: Space, state: str) -> list[str]:
    return [m["did"] for m in space.operator.ask("GET", "/owner/members") if m["state"] == state]


def offered(space: Space, did: str, serial: str) -> str:
    """Offer a file under terms that name a service party; gives the product's id."""
    file = space.root / f"{serial}.bin"
    file.write_bytes(made_bytes(1000, seed=31))
    attached = space.provider.ask("POST", "/owner/resources", {"path": str(file)})
    iri = "https://w3id.org/entrepot/v1/"
    constraints = [
        {"leftOperand": f"{iri}serviceParty", "operator": "hasPart", "rightOperand": did},
        {"leftOperand": f"{iri}serviceAlgorithm", "operator": "hasPart", "rightOperand": ALGORITHM},
    ]
    product: str = space.provider.ask(
        "POST",
        "/owner/products",
        {
            "id": data_code(DataType.PRODUCT, space.provider.code, "3101", serial),
            "resource": attached["resource"],
            "title": "Tides",
            "description": "Bytes made for a test",
            "rights": "use for research",
            "grade": "L2",
            "kinds": ["delivery"],
            "policy": {"permission": [{"action": "use", "constraint": constraints}]},
        },
    )["id"]
    wait_for("its listing", lambda: space.operator.rows("SELECT 1 FROM product WHERE id = ?", product))
    return product


def waiting(node: Running) -> list[dict[str, Any]]:
    return [r for r in node.ask("GET", "/owner/requests") if r["waitsForYou"]]


def held(node: Running, state: str = "05") -> list[dict[str, Any]]:
    return [c for c in node.ask("GET", "/owner/contracts")["contracts"] if c["status"] == state]


def test_a_service_party_signs_is_killed_and_ends_what_it_has_signed(tmp_path: Path) -> None:
    """Whoever brings an algorithm would be named in contracts that it knows nothing of, or cannot end."""
    space = found_space(tmp_path / "space")
    service: Running | None = None
    try:
        service = with_service_party(space)
        product = offered(space, service.did, "T0000001")
        using = space.begin(product)
        (request,) = wait_for("a request", lambda: waiting(service))
        assert request["algorithms"] == [ALGORITHM]
        assert held(space.provider) == held(space.consumer) == []

        service.kill()
        service.start()
        wait_for("the service party", service.is_up)
        (same,) = waiting(service)
        assert same["id"] == request["id"]
        service.ask("POST", f"/owner/requests/{request['id']}/sign")
        using.received()
        wait_for("its contract", lambda: held(service))
        for node in (space.provider, space.consumer, service):
            (contract,) = held(node)
            assert contract["contract"] == request["contract"]
        envelopes = {held(node)[0]["envelope"] for node in (space.provider, space.consumer, service)}
        assert len(envelopes) == 1
        assert held(service)[0]["as"] == "service"

        path = f"/owner/contracts/{quote(request['contract'], safe='')}/end"
        service.ask("POST", path, {"reason": "agreement"})
        for node in (space.provider, space.consumer, service):
            wait_for("its end", lambda node=node: held(node, "06"))

        second = space.begin(product)
        (request,) = wait_for("a second request", lambda: waiting(service))
        service.ask("POST", f"/owner/requests/{request['id']}/refuse", {"reason": "not for this"})
        assert "not for this" in second.ended().problem
    finally:
        if service is not None:
            service.stop()
        space.stop()
