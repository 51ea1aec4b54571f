"""A whole data space of real processes: an operator, a provider and a consumer, made in a folder.

Nodes are made by the product's own `making`, run by its own command line, and asked through the owner's
API. Nothing here reaches into a running process; what is checked is what its files and its answers say.
"""

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import msgspec
from certificates import Certificates

from entrepot.ledger import decode_transaction
from entrepot.ledger.modules.usage import UsageBatch
from entrepot.node import making
from entrepot.node.settings import SQLITE, Listen, Messages, Outgoing, Party, Records, Role, Settings, Status
from entrepot.values import (
    DataType,
    canonical,
    data_code,
    is_social_credit_code,
    parse_digest,
    sha256,
    system_clock,
)

PASSPHRASE: Final = "a passphrase for tests on one machine"
COMMAND: Final = (sys.executable, "-c", "import sys; from entrepot.cli import main; sys.exit(main())")
PATIENCE: Final = 90.0
T = TypeVar("T")
_CAST: Final = (
    ("operator", "91310000MA1FL0"),
    ("provider", "12310000425006"),
    ("consumer", "91310115MA1K4B"),
)
_AT_WORK: Final = """SELECT
    (SELECT count(*) FROM outbox)
    + (SELECT count(*) FROM ledger_record WHERE number IS NULL OR batch IS NULL)
    + (SELECT count(*) FROM ledger_batch WHERE position IS NULL)
    + (SELECT count(*) FROM use WHERE state <> 'closed')
    + (SELECT count(*) FROM acquisition WHERE state NOT IN ('received', 'failed')),
    (SELECT count(*) FROM ledger_record)"""
"""How many things a node still has to do, and how many records it has written so far."""


class SaidNoError(Exception):
    """A node answered no: its status and its problem document."""

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        super().__init__(f"{status}: {document.get('detail')}")
        self.status = status


@dataclass(eq=False)
class Running:
    """One node: its folder, its addresses, its process while it runs."""

    folder: Path
    public: str
    owner: str
    code: str
    did: str = ""
    process: subprocess.Popen[bytes] | None = None
    database: str = ""
    """Where its journal is, if not in its folder."""
    tls: Certificates | None = None
    """What its public port speaks TLS with."""

    @property
    def origin(self) -> str:
        return f"{'https' if self.tls else 'http'}://{self.public}"

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    def start(self) -> None:
        environment = {**os.environ, making.PASSPHRASE: PASSPHRASE}
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "run", "--node", self.folder], env=environment, stdout=log, stderr=log
            )

    def is_up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"the node ended at its start:\n{self.log.read_text()[-2000:]}")
        try:
            return connects(self.public) and self.ask("GET", "/health") == {"status": "up"}
        except OSError:
            return False

    def kill(self) -> None:
        """As a power cut would: SIGKILL to this process and no other."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def killed(self, patience: float = PATIENCE) -> None:
        """Wait until somebody has killed it."""
        assert self.process is not None
        assert self.process.wait(patience) == -signal.SIGKILL

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()

    def ask(self, method: str, path: str, body: object = None) -> Any:
        """Ask the owner's API; gives its JSON, or raises what it said no with."""
        return json.loads(self.text(path, method, body) or "null")

    def text(self, path: str, method: str = "GET", body: object = None) -> str:
        """Ask the owner's API for a text."""
        token = (self.folder / "owner.token").read_text().strip()
        connection = http.client.HTTPConnection(self.owner, timeout=60)
        try:
            raw = None if body is None else json.dumps(body)
            connection.request(method, path, raw, {"authorization": f"Bearer {token}"})
            reply = connection.getresponse()
            said = reply.read().decode()
        finally:
            connection.close()
        if reply.status >= 400:
            raise SaidNoError(reply.status, json.loads(said or "{}"))
        return said

    def rows(self, query: str, *values: object, file: str = "node.db") -> list[tuple[Any, ...]]:
        """What is durable at this node."""
        if self.database and file == "node.db":
            return _rows_there(self.database, query, values)
        address = f"file:{self.folder / file}?mode=ro"  # a reader that leaves recovery to the node
        with contextlib.closing(sqlite3.connect(address, uri=True, timeout=30)) as connection:
            return connection.execute(query, values).fetchall()

    def memory(self) -> tuple[int, int]:
        """Bytes in memory now, and the most since `begin_measuring` (VmRSS, VmHWM)."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        now, most = (int(fields[name].split()[0]) << 10 for name in ("VmRSS", "VmHWM"))
        return now, most

    def begin_measuring(self) -> int:
        """Forget the peak (opening the keys takes more than any delivery); gives the bytes in memory now."""
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")
        return self.memory()[0]


class Ended(NamedTuple):
    """How an acquisition ended, as the consumer has written it down."""

    state: str
    problem: str
    agreement: str
    process: str
    use: str


@dataclass(eq=False)
class Space:
    """Three organisations in one folder."""

    root: Path
    operator: Running
    provider: Running
    consumer: Running
    _serial: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    @property
    def nodes(self) -> tuple[Running, Running, Running]:
        return self.operator, self.provider, self.consumer

    def offer(self, content: bytes | Path, *, uses: int) -> str:
        """Offer a file for so many uses; gives the product's id."""
        serial = f"T{next(self._serial):07d}"
        file = content if isinstance(content, Path) else self.root / f"{serial}.bin"
        if isinstance(content, bytes):
            file.write_bytes(content)
        attached = self.provider.ask("POST", "/owner/resources", {"path": str(file)})
        return self._offered(attached, serial, "L2", "delivery", uses)

    def offer_table(self, file: Path, *, uses: int) -> str:
        """Offer a CSV file as an open API for so many calls; gives the product's id."""
        attached = self.provider.ask("POST", "/owner/sources", {"kind": "csv", "where": str(file)})
        return self._offered(attached, f"T{next(self._serial):07d}", "L1", "api", uses)

    def _offered(self, attached: dict[str, Any], serial: str, grade: str, kind: str, uses: int) -> str:
        ends = f"{datetime.now(UTC) + timedelta(days=30):%Y-%m-%dT%H:%M:%SZ}"
        constraints = [
            {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": str(uses)},
            {"leftOperand": "odrl:dateTime", "operator": "lteq", "rightOperand": ends},
        ]
        product: str = self.provider.ask(
            "POST",
            "/owner/products",
            {
                "id": data_code(DataType.PRODUCT, self.provider.code, "3101", serial),
                "resource": attached["resource"],
                "title": f"Measurements {serial}",
                "description": "Bytes made for a test",
                "rights": "use for research",
                "grade": grade,
                "kinds": [kind],
                "policy": {"permission": [{"action": "use", "constraint": constraints}]},
            },
        )["id"]
        listed = "SELECT 1 FROM product WHERE id = ?"
        wait_for("its listing", lambda: self.operator.rows(listed, product))
        return product

    def begin(self, product: str, agreement: str | None = None) -> "Acquiring":
        """Begin to use a product, without waiting. Where the consumer dies of it, it may or may not stand."""
        target = self.root / f"received-{next(self._serial)}"
        body = {"product": product, "target": str(target), "agreement": agreement}
        with contextlib.suppress(OSError, http.client.HTTPException):
            self.consumer.ask("POST", "/owner/uses", body)
        return Acquiring(self, target)

    def at(self, target: str) -> "Acquiring":
        """The acquisition that had this target."""
        return Acquiring(self, Path(target))

    def use(self, product: str, agreement: str | None = None) -> Ended:
        """Use a product, from promise to data; gives the finished acquisition."""
        return self.begin(product, agreement).received()

    def revive(self) -> None:
        """Start the nodes that are dead."""
        dead = [n for n in self.nodes if n.process is not None and n.process.poll() is not None]
        for node in dead:
            node.start()
        for node in dead:
            wait_for("a node", node.is_up)

    def stop(self) -> None:
        for node in reversed(self.nodes):
            node.stop()


@dataclass(frozen=True)
class Acquiring:
    """One acquisition of the consumer's."""

    space: Space
    target: Path

    def stands(self) -> bool:
        """Whether the consumer has written it down."""
        return bool(self._row("SELECT 1 FROM acquisition WHERE target = ?"))

    def is_over(self) -> Ended | None:
        """How it ended; None while it goes on. Asks no process anything."""
        row = self._row(
            "SELECT state, problem, agreement_id, process_id, use_id FROM acquisition"
            " WHERE target = ? AND state IN ('received', 'failed')"
        )
        return Ended(*row) if row else None

    def waits_for(self) -> str:
        """What the owner is told that it waits for."""
        row = self._row("SELECT waiting_for FROM acquisition WHERE target = ?")
        return str(row[0]) if row else ""

    def ended(self, patience: float = PATIENCE) -> Ended:
        return wait_for(f"the end of {self.target.name}", self.is_over, patience)

    def received(self, patience: float = PATIENCE) -> Ended:
        found = self.ended(patience)
        assert found.state == "received", found.problem
        return found

    def _row(self, query: str) -> tuple[Any, ...] | None:
        rows = self.space.consumer.rows(query, str(self.target))
        return rows[0] if rows else None


def found_space(
    root: Path,
    databases: Mapping[str, str] | None = None,
    tls: Certificates | None = None,
    **settings: Any,
) -> Space:
    """Make and start a space; `settings` replace tables of every node's settings.

    With `tls` the nodes speak it among themselves. `databases` says which of operator, provider and consumer
    keep their journal where else than in a file.
    """
    ports = free_ports(6)
    space = Space(
        root,
        *(
            Running(
                root / name,
                f"127.0.0.1:{public}",
                f"127.0.0.1:{owner}",
                social_code(stem),
                database=(databases or {}).get(name, ""),
                tls=tls,
            )
            for (name, stem), public, owner in zip(_CAST, ports[:3], ports[3:], strict=True)
        ),
    )
    shared = {
        "outgoing": Outgoing(
            allow_private=tuple(n.origin for n in space.nodes),
            trusted_certificates=str(tls.authority) if tls else "",
        ),
        "status": Status(max_age=3600, resign=600, poll=600),  # so that nothing but the use makes calls
        "messages": Messages(too_early=60),
        "records": Records(seal=0.3),
        **settings,
    }
    try:
        _join(space, shared)
    except BaseException:
        space.stop()
        raise
    return space


def _join(space: Space, shared: dict[str, Any]) -> None:
    operator, provider, consumer = space.nodes
    made = making.make_operator(
        operator.folder,
        name="harbour",
        party=Party(name="Operator", subject_code=operator.code, region="3101"),
        listen=_listen(operator),
        place="3101",
        passphrase=PASSPHRASE,
        clock=system_clock,
        database=operator.database or SQLITE,
    )
    operator.did = made.settings.did
    _adjust(operator, shared)
    operator.start()
    wait_for("the operator", operator.is_up)
    for role, node in (("provider", provider), ("consumer", consumer)):
        invitation = operator.ask("POST", "/owner/invitations", {"roles": [role]})
        member = making.make_member(
            node.folder,
            role=Role.CONNECTOR,
            invitation=msgspec.convert(invitation, making.InvitationFile),
            party=Party(name=role.title(), subject_code=node.code, region="3101"),
            listen=_listen(node),
            passphrase=PASSPHRASE,
            database=node.database or SQLITE,
        )
        node.did = member.settings.did
        _adjust(node, shared)
        node.start()
    wait_for("two applications", lambda: _members(operator)["applied"] == 2)
    for node in (provider, consumer):
        operator.ask("POST", f"/owner/members/{quote(node.did, safe='')}/admit")
    wait_for("two members", lambda: _members(operator)["in-force"] == 2)
    members = (provider, consumer)
    wait_for("two credentials", lambda: all("membership" in node.log.read_text() for node in members))
    for node in (provider, consumer):
        # The list that a node fetched before its admission does not know it; start with a newer one.
        node.stop()
        node.start()
    wait_for("two members", lambda: all(node.is_up() for node in members))


def _members(operator: Running) -> Counter[str]:
    return Counter(m["state"] for m in operator.ask("GET", "/owner/members"))


def _listen(node: Running) -> Listen:
    files = {"tls_certificate": str(node.tls.certificate), "tls_key": str(node.tls.key)} if node.tls else {}
    return Listen(public=node.public, owner=node.owner, url=node.origin, **files)


def _adjust(node: Running, shared: dict[str, Any]) -> None:
    path = node.folder / making.SETTINGS
    making.write_settings(msgspec.structs.replace(Settings.read(path), **shared), path)


# What must hold once a use is over.


def settled(space: Space, agreement: str, content: bytes | Path, acquisitions: Sequence[Acquiring]) -> None:
    """Both sides and the ledger agree on every use under an agreement; what was received is the oracle."""
    received = [a.received().use for a in acquisitions]
    wait_for("receipts and anchors", lambda: at_rest(space))
    digest = sha256(content.read_bytes() if isinstance(content, Path) else content)
    for acquiring in acquisitions:
        assert sha256(acquiring.target.read_bytes()) == digest
    uses = space.provider.rows("SELECT id, state, outcome FROM use WHERE agreement_id = ?", agreement)
    assert sorted(uses) == sorted((use_id, "closed", "received") for use_id in set(received))
    assert len(uses) == len(received)
    counted = space.provider.rows("SELECT used FROM policy_counter WHERE agreement_id = ?", agreement)
    assert counted == [(len(received),)]
    metered = space.provider.rows("SELECT use_id, uses FROM meter WHERE agreement_id = ?", agreement)
    assert sorted(metered) == sorted((use_id, 1) for use_id in received)
    for use_id in received:
        written = Counter(r["kind"] for r in records(space.provider, use_id))
        assert (written["opened"], written["closed"]) == (1, 1)
        assert [r["kind"] for r in records(space.consumer, use_id)] == ["receipt"]
    for node in (space.provider, space.consumer):
        agrees_with_ledger(space.operator, node)


def at_rest(space: Space) -> bool:
    """Nothing is under way: every use closed, every record on the ledger, nothing left to send.

    Each node is read in one snapshot, and both twice: what the second had just sent may have made work for
    the first after that was looked at, and left a record there.
    """
    first, second = ([node.rows(_AT_WORK)[0] for node in (space.provider, space.consumer)] for _ in range(2))
    return first == second and not any(at_work for at_work, _ in second)


def records(node: Running, use_id: str) -> list[dict[str, Any]]:
    found = node.rows("SELECT body FROM ledger_opening WHERE use_id = ? ORDER BY row", use_id)
    return [json.loads(body) for (body,) in found]


def agrees_with_ledger(operator: Running, node: Running) -> None:
    """The ledger holds exactly this node's batches, each once, in order, with the roots that it sealed."""
    on_ledger = []
    for position, body in operator.rows(
        "SELECT number, body FROM entry WHERE digest IS NOT NULL ORDER BY number", file="ledger.db"
    ):
        signed = decode_transaction(body)
        if signed.transaction.op == "usage.batch" and signed.transaction.actor == node.did:
            batch = canonical.decode_struct(bytes(signed.transaction.body), UsageBatch)
            on_ledger.append((batch.number, parse_digest(batch.root), position))
    own = node.rows("SELECT number, root, position FROM ledger_batch ORDER BY number")
    assert on_ledger == own
    written = node.rows("SELECT count(*), count(batch) FROM ledger_record")
    assert written[0] == (sum(n for (n,) in node.rows("SELECT records FROM ledger_batch")),) * 2


def made_bytes(size: int, seed: int) -> bytes:
    """Bytes that no compression or sparse file makes smaller."""
    return Random(seed).randbytes(size)  # noqa: S311 (content of a test file, no secret)


def _rows_there(address: str, query: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
    import psycopg

    with psycopg.connect(address) as connection:
        return connection.execute(query.replace("?", "%s"), values).fetchall()


def wait_for(
    what: str, condition: Callable[[], T | None], patience: float = PATIENCE, pause: float = 0.05
) -> T:
    """Wait until something holds; gives it."""
    deadline = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited {patience:.0f} s in vain for {what}"
        time.sleep(pause)
    return found


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def social_code(stem: str) -> str:
    """A code of the right form that belongs to nobody."""
    body = (stem + "0000000000")[:17]
    return next(body + c for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_social_credit_code(body + c))


def free_ports(count: int) -> list[int]:
    """Ports outside the range that the system gives to calls, so that none takes a killed node's port."""
    with contextlib.ExitStack() as stack:
        found: list[int] = []
        while len(found) < count:
            port = SystemRandom().randrange(18_000, 32_000)
            probe = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                found.append(port)
        return found
