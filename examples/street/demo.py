"""The street, walked once: four organisations, one use of real data, from promise to proof.

`make demo`. Starts an operator (platform and ledger), a regulator (witness and follower), a provider and a
consumer as processes of their own on loopback, with keys and databases of their own, and tells what
happens as it happens. It ends 0 only if every step did as promised, and leaves no process behind.
`make demo DEMO=--keep` leaves them running, with addresses and things to try.
"""

import argparse
import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from data import DataSet, fetch

from entrepot.values import DataType, data_code, is_social_credit_code

PASSPHRASE = "this passphrase is for a demonstration on one machine"
STATUS_MAX_AGE = 5
TRIAL = 60
DAY = timedelta(days=1)
BIN = Path(sys.executable).parent / "entrepot"


class BrokenPromiseError(Exception):
    """A step did not do as promised."""


@dataclass
class Organisation:
    """One of the four: its folder, its ports, its process."""

    name: str
    role: str
    code: str
    folder: Path
    public: str
    owner: str
    did: str = ""
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        log = (self.folder / "log.jsonl").open("ab")
        self.process = subprocess.Popen(
            [BIN, "run", "--node", self.folder], env=environment(), stdout=log, stderr=log
        )
        wait_until(f"{self.name} listens", self.listens)

    def listens(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise BrokenPromiseError(f"{self.name} ended at its start; see {self.folder / 'log.jsonl'}")
        return connects(self.public) and connects(self.owner)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@dataclass
class Story:
    """What is told, and how many promises were kept."""

    started: float = field(default_factory=time.monotonic)
    kept: int = 0

    def chapter(self, title: str) -> None:
        print(f"\n\033[1m{title}\033[0m" if sys.stdout.isatty() else f"\n{title}", flush=True)

    def tell(self, text: str) -> None:
        print(f"  {text}", flush=True)

    def proved(self, promise: str, proof: str, *, holds: bool) -> None:
        """Say what was promised and what shows it; stop where it does not hold."""
        if not holds:
            raise BrokenPromiseError(f"{promise}: {proof}")
        self.kept += 1
        print(f"  ✓ {promise}\n      {proof}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    options = parser.parse_args()
    cars = fetch("cars")
    root = Path(tempfile.mkdtemp(prefix="entrepot-demo-"))
    story = Story()
    organisations = cast_of(root)
    kept = False
    try:
        walk(story, organisations, root, cars)
        print(f"\n{story.kept} promises kept in {time.monotonic() - story.started:.0f} seconds.")
        if options.keep:
            keep(organisations, root)
        kept = True
    except BrokenPromiseError as error:
        print(f"\nNOT AS PROMISED: {error}\nLogs are in {root}", file=sys.stderr)
    finally:
        for organisation in reversed(list(organisations.values())):
            organisation.stop()
        if kept:
            shutil.rmtree(root, ignore_errors=True)
    return 0 if kept else 1


def cast_of(root: Path) -> dict[str, Organisation]:
    ports = free_ports(8)
    people = (
        ("operator", "Harbour Data Space", "operator", "91310000MA1FL0"),
        ("regulator", "Data Bureau", "observer", "11310000MB2F30"),
        ("provider", "Vehicle Test Institute", "connector", "12310000425006"),
        ("consumer", "Transport Research Company", "connector", "91310115MA1K4B"),
    )
    return {
        key: Organisation(
            name,
            role,
            social_credit_code(stem),
            root / key,
            f"127.0.0.1:{ports[2 * i]}",
            f"127.0.0.1:{ports[2 * i + 1]}",
        )
        for i, (key, name, role, stem) in enumerate(people)
    }


def walk(story: Story, who: dict[str, Organisation], root: Path, cars: DataSet) -> None:
    regulator = who["regulator"]
    provider, consumer = who["provider"], who["consumer"]
    found(story, who, root)
    product = offer(story, provider, root, cars)
    trial = use_trial(story, provider, consumer, root, cars)
    agreement, use_id, data = first_use(story, provider, consumer, product, root)
    question(story, data, cars)
    package, policy = proof(story, provider, regulator, use_id, root)
    refusals(story, who, product, agreement, trial, root)
    forgery(story, who, root, cars)
    court(story, package, policy, root)


def found(story: Story, who: dict[str, Organisation], root: Path) -> None:
    """Four organisations, each with keys and a database of its own."""
    story.chapter("1  A space is founded, and three organisations join it")
    operator, regulator = who["operator"], who["regulator"]
    everybody = list(who.values())
    init(operator, "--space", "harbour")
    adjust(operator, everybody)
    operator.start()
    guests = {key: who[key] for key in ("regulator", "provider", "consumer")}
    for key in guests:
        entrepot("member", "invite", root / f"{key}.json", "--role", key, node=operator)
    operator.stop()
    for key, guest in guests.items():
        made = init(guest, "--invitation", root / f"{key}.json")
        if guest is regulator:
            entrepot("ledger", "trust-witness", made["witnessKey"], made["witnessUrl"], node=operator)
        share_space(operator, guest)
        adjust(guest, everybody)
    regulator.start()
    for organisation in (operator, who["provider"], who["consumer"]):
        organisation.start()
    story.tell(f"(status lists are good for {STATUS_MAX_AGE} s here, so that a revocation shows quickly)")
    wait_until(
        "three applications",
        lambda: sum(m["state"] == "applied" for m in entrepot("member", "list", node=operator)) == 3,
    )
    for guest in guests.values():
        entrepot("member", "admit", guest.did, node=operator)
    wait_until(
        "three members in force",
        lambda: sum(m["state"] == "in-force" for m in entrepot("member", "list", node=operator)) == 3,
    )
    members = entrepot("member", "list", node=operator)
    for m in members:
        story.tell(f"{m['name']}: {m['did']}  node code {m['connectorCode']}")
    story.proved(
        "each is a member because the ledger says so",
        "three member.admit transactions committed and witnessed by the regulator",
        holds=len(members) == 3,
    )


def offer(story: Story, provider: Organisation, root: Path, cars: DataSet) -> str:
    """A product of real data, graded and under a policy."""
    story.chapter("2  The institute offers its measurements")
    story.tell(f"{cars.rows} vehicle tests; {cars.source} ({cars.licence})")
    now = datetime.now(UTC)
    product = offer_one(
        provider, root, cars, "A1B2C3D4", "Vehicle tests 1970–1982", 2, now + timedelta(days=30)
    )
    for sentence in product["text"]["en"]:
        story.tell(sentence)
    story.proved(
        "the offer is graded and its use limited",
        f"grade {product['grade']}: no less than delivery; digest {product['digest'][:20]}…",
        holds=product["grade"] == "L2",
    )
    return str(product["id"])


def use_trial(
    story: Story, provider: Organisation, consumer: Organisation, root: Path, cars: DataSet
) -> tuple[str, str, str]:
    """A second product whose terms are over in a minute: product, agreement, and its end."""
    ends = datetime.now(UTC) + timedelta(seconds=TRIAL)
    product = offer_one(provider, root, cars, "E5F6G7H8", "Vehicle tests, trial access", 5, ends)["id"]
    trial = entrepot("use", product, root / "trial.json", "--wait", node=consumer)
    story.tell(
        f"(a trial contract of {TRIAL} s over the same data is signed and used; it will be needed later)"
    )
    held = entrepot("contract", "list", node=consumer)
    found = next(c for c in held if c["agreement"] == trial["agreement"])
    return product, trial["agreement"], found["endsAt"]


def offer_one(
    provider: Organisation, root: Path, cars: DataSet, serial: str, title: str, uses: int, ends: datetime
) -> dict[str, Any]:
    odrl, ours = "odrl:", "https://w3id.org/entrepot/v1/"
    description = {
        "id": data_code(DataType.PRODUCT, provider.code, "3101", serial),
        "title": title,
        "description": f"{cars.rows} road tests: consumption, power, weight. {cars.source}.",
        "rights": "use for research; not to be passed on",
        "grade": "L2",
        "kinds": ["delivery"],
        "keywords": ["vehicle", "consumption", "汽车"],
        "mediaType": cars.media_type,
        "policy": {
            "permission": [
                {
                    "action": "use",
                    "constraint": [
                        {"leftOperand": odrl + "purpose", "operator": "eq", "rightOperand": "research"},
                        {"leftOperand": odrl + "count", "operator": "lteq", "rightOperand": str(uses)},
                        {
                            "leftOperand": odrl + "dateTime",
                            "operator": "lteq",
                            "rightOperand": ends.isoformat(timespec="seconds").replace("+00:00", "Z"),
                        },
                        {"leftOperand": odrl + "spatial", "operator": "isPartOf", "rightOperand": "31"},
                        {
                            "leftOperand": ours + "kindOfUse",
                            "operator": "eq",
                            "rightOperand": ours + "delivery",
                        },
                    ],
                }
            ],
            "prohibition": [{"action": "odrl:distribute"}],
        },
    }
    file = root / f"{serial}.json"
    file.write_text(json.dumps(description), "utf-8")
    copy = root / f"cars-{serial}.json"
    shutil.copy(cars.path, copy)
    return entrepot("product", "offer", copy, file, node=provider)


def first_use(
    story: Story, provider: Organisation, consumer: Organisation, product: str, root: Path
) -> tuple[str, str, Path]:
    """From product to data in one command."""
    story.chapter("3  The company uses it: one command, from product to data")
    story.tell(f"$ entrepot use {product} cars.json --purpose research")
    target = root / "received-cars.json"
    got = entrepot("use", product, target, "--purpose", "research", "--wait", node=consumer)
    held = {c["agreement"]: c for c in entrepot("contract", "list", node=consumer)}
    contract = held[got["agreement"]]
    story.proved(
        "both have signed a digital contract, filed with the platform",
        f"contract {contract['contract']}, status {contract['status']} (05: in performance)",
        holds=contract["status"] == "05" and contract["inForce"],
    )
    story.proved(
        "what came is what was promised",
        f"{got['size']} bytes, {got['digest'][:25]}…",
        holds=target.stat().st_size == got["size"],
    )

    def settled() -> bool:
        uses = entrepot("uses", node=provider)
        return any(u["use"] == got["use"] and u["receipt"] == "agreed" for u in uses)

    wait_until("the receipt", settled)
    story.proved(
        "both sides say the same of this use",
        f"use {got['use']}: the provider's record and the consumer's signed receipt agree",
        holds=True,
    )
    return got["agreement"], got["use"], target


def question(story: Story, data: Path, cars: DataSet) -> None:
    """A question that a person would ask of this data."""
    story.chapter("4  The question it was for: whose engines drank less, and when?")
    rows = json.loads(data.read_bytes())
    story.proved("all rows are there", f"{len(rows)} vehicle tests", holds=len(rows) == cars.rows)
    litres: dict[tuple[str, str], list[float]] = {}
    for row in rows:
        if row["Miles_per_Gallon"]:
            half = "1970–75" if row["Year"] < "1976" else "1976–82"
            litres.setdefault((row["Origin"], half), []).append(235.215 / row["Miles_per_Gallon"])
    for origin in ("USA", "Europe", "Japan"):
        early, late = (sum(v) / len(v) for v in (litres[origin, "1970–75"], litres[origin, "1976–82"]))
        story.tell(f"{origin:7} {early:5.1f} l/100 km in 1970–75, {late:5.1f} in 1976–82")


def proof(
    story: Story, provider: Organisation, regulator: Organisation, use_id: str, root: Path
) -> tuple[Path, Path]:
    """The use is on the ledger, witnessed, and can be shown to a stranger."""
    story.chapter("5  The proof: on the ledger, witnessed, and packed for a court")
    package = root / "evidence"

    def exported() -> bool:
        shutil.rmtree(package, ignore_errors=True)
        code, _ = call("evidence", "export", use_id, package, node=provider)
        return code == 0

    wait_until("the use is witnessed", exported)
    story.proved(
        "the use is anchored and witnessed",
        f"evidence package with {sum(f.is_file() for f in package.rglob('*'))} files",
        holds=package.is_dir(),
    )
    policy = root / "space.policy"
    policy.write_text(entrepot("ledger", "policy", node=regulator)["policy"], "utf-8")
    code, _ = call("evidence", "verify", package, "--policy-file", policy)
    story.proved("it verifies against the regulator's policy file", "exit code 0", holds=code == 0)
    code, _ = call("evidence", "verify", package)
    story.proved("without that file it is consistent, not trusted", f"exit code {code}", holds=code == 3)
    return package, policy


def refusals(
    story: Story,
    who: dict[str, Organisation],
    product: str,
    agreement: str,
    trial: tuple[str, str, str],
    root: Path,
) -> None:
    """What was not promised does not happen."""
    story.chapter("6  What was not promised does not happen")
    operator, consumer = who["operator"], who["consumer"]
    code, said = call("use", product, root / "no.json", "--purpose", "marketing", "--wait", node=consumer)
    story.proved("a purpose not promised is refused", said["problem"][:110], holds=code == 3)
    entrepot("use", product, root / "second.json", "--purpose", "research", "--wait", node=consumer)
    code, said = call("use", product, root / "third.json", "--agreement", agreement, "--wait", node=consumer)
    story.proved("the third use of two is refused", said["problem"][:110], holds=code == 3)
    trial_product, trial_agreement, ends = trial
    left = (datetime.fromisoformat(ends) - datetime.now(UTC)).total_seconds()
    if left > 0:
        story.tell(f"(the trial contract ends in {left:.0f} s)")
    wait_until("the trial contract has ended", lambda: is_over(ends), seconds=TRIAL)
    code, said = call(
        "use", trial_product, root / "late.json", "--agreement", trial_agreement, "--wait", node=consumer
    )
    story.proved("a use under an expired contract is refused", said["problem"][:110], holds=code == 3)
    entrepot("member", "revoke", consumer.did, "--reason", "breach", node=operator)
    since = time.monotonic()

    def shut_out() -> bool:
        code, _ = call("use", product, root / "revoked.json", "--purpose", "research", node=consumer)
        return code == 3

    wait_until("the revoked member is refused", shut_out, seconds=STATUS_MAX_AGE + 15)
    story.proved(
        "a revoked member is refused", f"{time.monotonic() - since:.1f} s after its revocation", holds=True
    )


def forgery(story: Story, who: dict[str, Organisation], root: Path, cars: DataSet) -> None:
    """The operator's own database is changed; the follower finds it, a witness alone would not."""
    story.chapter("7  Somebody changes an old row of the ledger's database")
    operator, regulator, provider = who["operator"], who["regulator"], who["provider"]
    before = entrepot("ledger", "audit", node=regulator)
    entry = change_one_byte(operator.folder / "ledger.db")
    code, found_now = call("ledger", "audit", node=regulator)
    story.tell(f"one byte of entry {entry} was changed in the operator's file")
    differs = [d["entry"] for d in found_now["differences"]]
    story.proved(
        "the follower names the changed entry",
        f"{before['entries']} entries were as they should be; now entry {differs} is not",
        holds=code == 8 and entry in differs and not before["differences"],
    )
    offer_one(provider, root, cars, "J9K0L1M2", "Vehicle tests, third edition", 1, datetime.now(UTC) + DAY)
    wait_until("the ledger goes on", lambda: standing(operator)["size"] > before["entries"])
    wait_until("the head is witnessed", lambda: is_witnessed(operator))
    leaves = standing(operator)["witnessed"]
    story.proved(
        "a witness alone would not have noticed",
        f"it goes on cosigning: now {leaves} leaves, for it sees heads and proofs, not stored rows",
        holds=leaves > before["entries"],
    )


def court(story: Story, package: Path, policy: Path, root: Path) -> None:
    """A stranger with one file of Python and no Entrepot checks the package; then with one byte changed."""
    story.chapter("8  A court checks it with one file of standard-library Python")
    verifier = root / "verify.py"
    from entrepot.oversight import verify

    shutil.copy(verify.__file__, verifier)
    command = [sys.executable, "-I", verifier, package, "--policy", policy]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in done.stdout.strip().splitlines()[:14]:
        story.tell(line)
    story.proved(
        "the stand-alone verifier trusts it", f"exit code {done.returncode}", holds=done.returncode == 0
    )
    victim = max((f for f in package.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    raw = bytearray(victim.read_bytes())
    raw[len(raw) // 2] ^= 1
    victim.write_bytes(raw)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    story.proved(
        "one changed byte and it does not",
        f"exit code {done.returncode}, in {victim.name}",
        holds=done.returncode != 0,
    )


def keep(who: dict[str, Organisation], root: Path) -> None:
    print("\nEverything keeps running; Ctrl-C ends it. ENTREPOT_PASSPHRASE is set to the demo's passphrase.")
    for organisation in who.values():
        print(f"  {organisation.name}: http://{organisation.public}, owner {organisation.owner}")
    print("Things to try:")
    print(f"  {BIN} member list --node {root / 'operator'}")
    print(f"  {BIN} uses --node {root / 'provider'}")
    print(f"  {BIN} contract list --node {root / 'consumer'}")
    print(f"  {BIN} ledger audit --node {root / 'regulator'}")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


# What follows is plumbing.


def init(organisation: Organisation, *more: object) -> dict[str, Any]:
    made = entrepot(
        "init", organisation.folder, "--role", organisation.role, "--name", organisation.name,
        "--code", organisation.code, "--listen", organisation.public, "--owner", organisation.owner,
        "--region", "3101", *more,
    )  # fmt: skip
    organisation.did = made["did"]
    return made


def entrepot(*words: object, node: Organisation | None = None) -> Any:
    """Run one command and give its JSON; a command that fails breaks the promise."""
    code, answer = call(*words, node=node)
    if code != 0:
        raise BrokenPromiseError(f"entrepot {' '.join(map(str, words))} ended {code}: {answer}")
    return answer


def call(*words: object, node: Organisation | None = None) -> tuple[int, Any]:
    where = ["--node", str(node.folder)] if node is not None else []
    command = [str(BIN), *map(str, words), *where, "--json"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"problem": (done.stdout + done.stderr)[-500:]}


def environment() -> dict[str, str]:
    return {**os.environ, "ENTREPOT_PASSPHRASE": PASSPHRASE}


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 40) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise BrokenPromiseError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(0.1)


def is_over(time_text: str) -> bool:
    return datetime.now(UTC) > datetime.fromisoformat(time_text)


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@contextlib.contextmanager
def edited(organisation: Organisation) -> Iterator[dict[str, Any]]:
    """Edit a settings file through the product's own reader and writer."""
    import msgspec

    from entrepot.node.making import SETTINGS
    from entrepot.node.settings import Settings, write_settings

    path = organisation.folder / SETTINGS
    plain = msgspec.to_builtins(Settings.read(path))
    yield plain
    write_settings(msgspec.convert(plain, Settings), path)


def share_space(operator: Organisation, member: Organisation) -> None:
    """The invitations were written before the witness was named: everybody joins the space as it is now."""
    with edited(operator) as theirs:
        space = theirs["space"]
    with edited(member) as settings:
        settings["space"] = space


def adjust(organisation: Organisation, everybody: list[Organisation]) -> None:
    """Quick status lists, and calls to the others on loopback, which are refused otherwise."""
    with edited(organisation) as settings:
        settings["status"] = {"max_age": float(STATUS_MAX_AGE), "resign": 1.0, "poll": 1.0}
        settings["outgoing"]["allow_private"] = [f"http://{o.public}" for o in everybody]


def change_one_byte(database: Path) -> int:
    """Change one byte of an early transaction in the ledger's file, as somebody with its disk could."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        number, body = connection.execute(
            "SELECT number, body FROM entry ORDER BY number LIMIT 1 OFFSET 2"
        ).fetchone()
        forged = bytearray(body)
        forged[len(forged) // 2] ^= 1
        connection.execute("UPDATE entry SET body = ? WHERE number = ?", (bytes(forged), number))
        connection.commit()
    return int(number)


def standing(operator: Organisation) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{operator.public}/ledger/standing", timeout=5) as reply:
        return json.loads(reply.read())


def is_witnessed(operator: Organisation) -> bool:
    now = standing(operator)
    return bool(now["witnessed"] == now["size"])


def social_credit_code(stem: str) -> str:
    """A code of the right form that belongs to nobody: the stem, filled up, with its check character."""
    body = (stem + "0000000000")[:17]
    return next(body + c for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_social_credit_code(body + c))


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]


if __name__ == "__main__":
    sys.exit(main())
