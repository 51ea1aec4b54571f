"""A whole space of real processes: operator, regulator, provider, consumer, service party, applicant.

Built from the parts of `tests/space/space.py`; what it adds is a witness, so that evidence can be exported,
and an applicant whom nobody has admitted yet.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import msgspec

from entrepot.node import making
from entrepot.node.settings import Listen, Messages, Outgoing, Party, Records, Role, Settings, Status
from entrepot.values import DataType, data_code, system_clock
from space import PASSPHRASE, Running, Space, free_ports, social_code, wait_for

CAST: Final = (
    ("operator", "Harbour Data Space", "91310000MA1FL0"),
    ("regulator", "Data Bureau", "11310000MB2F30"),
    ("provider", "Vehicle Test Institute", "12310000425006"),
    ("consumer", "Transport Research Company", "91310115MA1K4B"),
    ("service", "Algorithm Workshop", "91330100MA2B0E"),
    ("applicant", "港口实验室", "91310115MA1LAB"),
)
ALGORITHM: Final = f"fuel-model@1.2#sha256:{'5' * 64}"


@dataclass
class Town:
    """The organisations, by name."""

    root: Path
    nodes: dict[str, Running]
    space: Space
    serial: int = field(default=0)

    def token(self, name: str) -> str:
        return (self.nodes[name].folder / "owner.token").read_text().strip()

    def offer(self, title: str, uses: int) -> tuple[str, dict[str, Any]]:
        """Offer a file for so many uses, for research; gives the product's id and its policy."""
        ends = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
        constraints = [
            {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": str(uses)},
            {"leftOperand": "odrl:purpose", "operator": "eq", "rightOperand": "research"},
            {"leftOperand": "odrl:dateTime", "operator": "lteq", "rightOperand": ends},
        ]
        policy = {"permission": [{"action": "use", "constraint": constraints}]}
        product = self._offered(title, "delivery", "L3", policy)
        self._listed(product)
        return product, policy

    def offer_many(self, titles: Sequence[str]) -> None:
        """Offer as many products as there are titles."""
        constraint = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "1"}
        policy = {"permission": [{"action": "use", "constraint": [constraint]}]}
        for title in titles:
            self._offered(title, "delivery", "L2", policy)

    def offer_api(self, title: str) -> str:
        """Offer a table as an open API for a hundred calls, and say nothing of purposes."""
        constraint = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": "100"}
        policy = {"permission": [{"action": "use", "constraint": [constraint]}]}
        product = self._offered(title, "api", "L1", policy)
        self._listed(product)
        return product

    def offer_served(self, title: str) -> str:
        """Offer a file under terms that name the service party and its algorithm."""
        iri = "https://w3id.org/entrepot/v1/"
        named = (("serviceParty", self.nodes["service"].did), ("serviceAlgorithm", ALGORITHM))
        constraints = [
            {"leftOperand": f"{iri}{name}", "operator": "hasPart", "rightOperand": value}
            for name, value in named
        ]
        policy = {"permission": [{"action": "use", "constraint": constraints}]}
        product = self._offered(title, "delivery", "L2", policy)
        self._listed(product)
        return product

    def _offered(self, title: str, kind: str, grade: str, policy: dict[str, Any]) -> str:
        self.serial += 1
        provider = self.nodes["provider"]
        file = self.root / f"offered-{self.serial}.csv"
        file.write_text("engine,litres\n" + "\n".join(f"{n},{5 + n % 4}" for n in range(2_000)))
        attached = (
            provider.ask("POST", "/owner/sources", {"kind": "csv", "where": str(file)})
            if kind == "api"
            else provider.ask("POST", "/owner/resources", {"path": str(file)})
        )
        product: str = provider.ask(
            "POST",
            "/owner/products",
            {
                "id": data_code(DataType.PRODUCT, provider.code, "3101", f"C{self.serial:07d}"),
                "resource": attached["resource"],
                "title": title,
                "description": "Fuel consumption of engines on a test bench",
                "rights": "use for research; not to be passed on",
                "grade": grade,
                "kinds": [kind],
                "policy": policy,
            },
        )["id"]
        return product

    def _listed(self, product: str) -> None:
        listed = "SELECT 1 FROM product WHERE id = ?"
        wait_for("its listing", lambda: self.nodes["operator"].rows(listed, product))

    def open_transfer(self, product: str) -> dict[str, str]:
        """Let the consumer call an open API once; gives the open process, as each side names it."""
        target = str(self.root / f"called-{self.serial}.json")
        body = {"product": product, "target": target, "format": "EntrepotApi-PULL", "below": "items?limit=2"}
        self.nodes["consumer"].ask("POST", "/owner/uses", body)
        self.space.at(target).received()
        return {name: self.process(name, product)["id"] for name in ("provider", "consumer")}

    def request(self, product: str) -> dict[str, Any] | None:
        """What the service party is asked to sign over a product."""
        asked: list[dict[str, Any]] = self.nodes["service"].ask("GET", "/owner/requests")
        return next((r for r in asked if r["product"] == product), None)

    def process(self, name: str, product: str) -> dict[str, Any]:
        """A node's newest process over a product."""
        found: list[dict[str, Any]] = self.nodes[name].ask("GET", "/owner/processes")["processes"]
        return next(p for p in found if p["product"] == product)

    def ask_for(self, product: str, policy: dict[str, Any], uses: int) -> str:
        """Let the consumer ask for a contract on other terms; gives the provider's negotiation that waits."""
        first, *others = policy["permission"][0]["constraint"]
        asked = {
            "permission": [{"action": "use", "constraint": [{**first, "rightOperand": str(uses)}, *others]}]
        }
        self.nodes["consumer"].ask("POST", "/owner/negotiations", {"product": product, "policy": asked})
        return wait_for("a request that waits", lambda: self.waits("provider", product))

    def waits(self, name: str, product: str) -> str | None:
        """The negotiation over a product that waits for a person at a node."""
        talks = self.nodes[name].ask("GET", "/owner/negotiations")["negotiations"]
        return next((t["id"] for t in talks if t["product"] == product and t["waitsForYou"]), None)

    def contract(self, name: str, product: str) -> dict[str, Any] | None:
        """A node's contract over a product, once it is in force."""
        held: list[dict[str, Any]] = self.nodes[name].ask("GET", "/owner/contracts")["contracts"]
        return next((c for c in held if c["product"] == product and c["inForce"]), None)

    def member(self, did: str) -> dict[str, Any] | None:
        members: list[dict[str, Any]] = self.nodes["operator"].ask("GET", "/owner/members")
        return next((m for m in members if m["did"] == did), None)

    def witnessed(self, use_id: str, name: str) -> bool:
        """Whether the witnesses have seen every record of a use at a node."""
        proof = self.nodes[name].ask("GET", f"/owner/uses/{quote(use_id, safe='')}")
        return all(r["state"] == "witnessed" for r in proof["records"])

    def stop(self) -> None:
        for node in reversed(list(self.nodes.values())):
            node.stop()


def found_town(root: Path) -> Town:
    """Make and start everybody; everybody but the applicant is a member."""
    ports = iter(free_ports(2 * len(CAST)))
    nodes = {
        name: Running(root / name, f"127.0.0.1:{next(ports)}", f"127.0.0.1:{next(ports)}", social_code(stem))
        for name, _, stem in CAST
    }
    town = Town(root, nodes, Space(root, nodes["operator"], nodes["provider"], nodes["consumer"]))
    try:
        _join(town)
    except BaseException:
        town.stop()
        raise
    return town


def _join(town: Town) -> None:
    nodes, operator, regulator = town.nodes, town.nodes["operator"], town.nodes["regulator"]
    made = making.make_operator(
        operator.folder,
        name="harbour",
        party=_party(town, "operator"),
        listen=_listen(operator),
        place="3101",
        passphrase=PASSPHRASE,
        clock=system_clock,
    )
    operator.did = made.settings.did
    _adjust(town, operator)
    operator.start()
    wait_for("the operator", operator.is_up)
    _make(town, "regulator", Role.OBSERVER, "regulator")
    operator.stop()
    # From here on the ledger orders nothing that the regulator has not seen.
    operator.start()
    regulator.start()
    wait_for("operator and regulator", lambda: operator.is_up() and regulator.is_up())
    roles = {"provider": "provider", "consumer": "consumer", "service": "service", "applicant": "consumer"}
    for name, role in roles.items():
        _make(town, name, Role.CONNECTOR, role)
        nodes[name].start()
    for name in ("regulator", "provider", "consumer", "service"):
        _admit(town, nodes[name])
    for name in ("provider", "consumer", "service"):
        # The list that a node fetched before its admission does not know it; start with a newer one.
        nodes[name].stop()
        nodes[name].start()
    wait_for("everybody", lambda: all(node.is_up() for node in nodes.values()))
    applied = "an application"
    wait_for(applied, lambda: (town.member(nodes["applicant"].did) or {}).get("state") == "applied")


def _make(town: Town, name: str, role: Role, member_role: str) -> None:
    operator, node = town.nodes["operator"], town.nodes[name]
    invitation = operator.ask("POST", "/owner/invitations", {"roles": [member_role]})
    made = making.make_member(
        node.folder,
        role=role,
        invitation=msgspec.convert(invitation, making.InvitationFile),
        party=_party(town, name),
        listen=_listen(node),
        passphrase=PASSPHRASE,
    )
    node.did = made.settings.did
    _adjust(town, node)
    if made.witness_key:
        path = operator.folder / making.SETTINGS
        trusting = making.add_witness(Settings.read(path), made.witness_key, made.witness_url)
        making.write_settings(trusting, path)


def _admit(town: Town, node: Running) -> None:
    wait_for("an application", lambda: (town.member(node.did) or {}).get("state") == "applied")
    town.nodes["operator"].ask("POST", f"/owner/members/{quote(node.did, safe='')}/admit")
    wait_for("an admission", lambda: (town.member(node.did) or {}).get("state") == "in-force")
    wait_for("a credential", lambda: "membership" in node.log.read_text())


def _party(town: Town, name: str) -> Party:
    title = next(title for key, title, _ in CAST if key == name)
    return Party(name=title, subject_code=town.nodes[name].code, region="3101")


def _listen(node: Running) -> Listen:
    return Listen(public=node.public, owner=node.owner, url=f"http://{node.public}")


def _adjust(town: Town, node: Running) -> None:
    path = node.folder / making.SETTINGS
    settings = msgspec.structs.replace(
        Settings.read(path),
        outgoing=Outgoing(allow_private=tuple(f"http://{n.public}" for n in town.nodes.values())),
        status=Status(max_age=3600, resign=2, poll=2),
        messages=Messages(too_early=60),
        records=Records(seal=0.3),
    )
    making.write_settings(settings, path)
