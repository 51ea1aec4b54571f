"""The street, walked once: six organisations, three sensitivities, three kinds of use of real data.

`make demo`. Starts an operator (platform and ledger), a regulator (witness, follower, supervisor), a weather
office, an institute, a hospital and a research company as processes of their own on loopback, with keys and
databases of their own, and tells what happens as it happens. It ends 0 only if every step did as promised,
and leaves no process behind. `make demo DEMO=--keep` leaves them running, with addresses and things to try.
"""

import argparse
import json
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from data import fetch
from offers import COUNTS, TRIAL, Offers
from plumbing import (
    STATUS_MAX_AGE,
    BrokenPromiseError,
    Organisation,
    Running,
    adjust,
    call,
    cast_of,
    change_one_byte,
    entrepot,
    init,
    is_over,
    is_witnessed,
    keep,
    seconds_until,
    share_space,
    stand_alone,
    standing,
    wait_until,
)

FROST = "items?fields=date,temp_min&filter=temp_min%20%3C%200&limit=1000"
ARMS = ("zidovudine", "zidovudine + didanosine", "zidovudine + zalcitabine", "didanosine")


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


@dataclass
class Walk:
    """Who takes part, and what has come of it so far."""

    story: Story
    root: Path
    who: dict[str, Organisation]
    offers: Offers
    agreement: str = ""
    """The institute's contract with the company."""
    use_id: str = ""
    """The use that is taken to court."""

    @property
    def company(self) -> Organisation:
        return self.who["company"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--keep", action="store_true", help="leave everything running")
    options = parser.parse_args()
    data = {name: fetch(name) for name in ("seattle-weather", "cars", "trial")}
    root = Path(tempfile.mkdtemp(prefix="entrepot-demo-"))
    story, who = Story(), cast_of(root)
    kept = False
    try:
        walk(Walk(story, root, who, Offers(root, who, data)))
        print(f"\n{story.kept} promises kept in {time.monotonic() - story.started:.0f} seconds.")
        if options.keep:
            keep(who, root)
        kept = True
    except BrokenPromiseError as error:
        print(f"\nNOT AS PROMISED: {error}\nLogs are in {root}", file=sys.stderr)
    finally:
        for organisation in reversed(list(who.values())):
            organisation.stop()
        if kept:
            shutil.rmtree(root, ignore_errors=True)
    return 0 if kept else 1


def walk(w: Walk) -> None:
    found(w)
    offer(w)
    low(w)
    medium(w)
    high(w)
    package, policy = proof(w)
    refusals(w)
    stopped(w)
    shut_out(w)
    forgery(w)
    court(w, package, policy)


def found(w: Walk) -> None:
    """Six organisations, each with keys and a database of its own."""
    w.story.chapter("1  A space is founded, and five organisations join it")
    operator, regulator = w.who["operator"], w.who["regulator"]
    everybody = list(w.who.values())
    guests = [o for o in everybody if o is not operator]
    init(operator, "--space", "harbour")
    adjust(operator, everybody)
    operator.start()
    for guest in guests:
        seats = [word for seat in guest.seats for word in ("--role", seat)]
        entrepot("member", "invite", w.root / f"{guest.key}.json", *seats, node=operator)
    operator.stop()
    for guest in guests:
        made = init(guest, "--invitation", w.root / f"{guest.key}.json")
        if guest is regulator:
            entrepot("ledger", "trust-witness", made["witnessKey"], made["witnessUrl"], node=operator)
        share_space(operator, guest)
        adjust(guest, everybody)
    for organisation in (regulator, operator, *(g for g in guests if g is not regulator)):
        organisation.launch()
    for organisation in everybody:
        organisation.await_up()
    w.story.tell(f"(status lists are good for {STATUS_MAX_AGE} s here, so that a revocation shows quickly)")
    states = lambda: [m["state"] for m in entrepot("member", "list", node=operator)]  # noqa: E731 (asked twice)
    wait_until("five applications", lambda: states().count("applied") == 5)
    for guest in guests:
        entrepot("member", "admit", guest.did, node=operator)
    wait_until("five members in force", lambda: states().count("in-force") == 5)
    for m in entrepot("member", "list", node=operator):
        w.story.tell(f"{m['name']}: {m['did']}  node code {m['connectorCode']}")
    w.story.proved(
        "each is a member because the ledger says so",
        "five member.admit transactions committed and witnessed by the regulator",
        holds=True,
    )


def offer(w: Walk) -> None:
    """Three products of real data, each graded, each with the technique that its grade demands."""
    w.story.chapter("2  Three providers offer what they have, each under terms of its own")
    for key, grade, kind in (
        ("seattle-weather", "L1", "api"),
        ("cars", "L2", "delivery"),
        ("trial", "L4", "query"),
    ):
        product = w.offers.make(key)
        data = w.offers.data[key]
        w.story.tell(f"{product['title']}: {data.rows} rows; {data.source} ({data.licence})")
        for sentence in product["text"]["en"]:
            w.story.tell(f"    {sentence}")
        w.story.proved(
            f"the grade decides the kind of use: {grade}, {kind}",
            f"digest {product['digest'][:25]}…",
            holds=(product["grade"], product["kinds"]) == (grade, [kind]),
        )


def low(w: Walk) -> None:
    """Low sensitivity: an open API, page by page, each call a use."""
    w.story.chapter("3  Low: how many days of frost were there? An open API, one call")
    product = w.offers.products["seattle-weather"]
    w.story.tell(f'$ entrepot use {product} frost.json --get "{FROST}"')
    target = w.root / "frost.json"
    got = entrepot("use", product, target, "--get", FROST, "--wait", node=w.company)
    page = json.loads(target.read_bytes())
    frost = [row for row in page["items"] if row["temp_min"] < 0]
    years = {
        year: sum(row["date"].startswith(year) for row in frost) for year in ("2012", "2013", "2014", "2015")
    }
    w.story.tell("days of frost in Seattle: " + ", ".join(f"{n} in {year}" for year, n in years.items()))
    w.story.proved(
        "the answer is what was asked for, and no more",
        f"{len(frost)} rows of two fields under use {got['use']}",
        holds=len(frost) == len(page["items"]) > 0 and {*page["items"][0]} == {"date", "temp_min"},
    )


def medium(w: Walk) -> None:
    """Medium sensitivity: delivery of an attested artefact, in one command."""
    w.story.chapter("4  Medium: which engines miss a limit of 12 l/100 km? Delivery, attested by both")
    product = w.offers.products["cars"]
    w.story.tell(f"$ entrepot use {product} cars.json --purpose research")
    target = w.root / "received-cars.json"
    got = entrepot("use", product, target, "--purpose", "research", "--wait", node=w.company)
    w.agreement, w.use_id = got["agreement"], got["use"]
    contract = contract_of(w.company, got["agreement"])
    w.story.proved(
        "both have signed a digital contract, filed with the platform",
        f"contract {contract['contract']}, status {contract['status']} (05: in performance)",
        holds=contract["status"] == "05" and contract["inForce"],
    )
    rows = json.loads(target.read_bytes())
    w.story.proved(
        "what came is what was promised",
        f"{len(rows)} tests, {got['size']} bytes, {got['digest'][:25]}…",
        holds=target.stat().st_size == got["size"] and len(rows) == w.offers.data["cars"].rows,
    )
    missed: dict[int, list[bool]] = {}
    for row in rows:
        if row["Miles_per_Gallon"]:
            missed.setdefault(row["Cylinders"], []).append(235.215 / row["Miles_per_Gallon"] > 12)
    for cylinders, over in sorted(missed.items()):
        w.story.tell(f"{cylinders} cylinders: {sum(over):3} of {len(over):3} miss the limit")
    await_receipt(w.who["institute"], got["use"])
    w.story.proved(
        "both sides say the same of this use",
        f"use {got['use']}: the provider's record and the consumer's signed receipt agree",
        holds=True,
    )


def high(w: Walk) -> None:
    """High sensitivity: the data never moves; the question does, and a person lets it in."""
    w.story.chapter("5  High: which treatment kept the CD4 counts up? The question travels, the data stays")
    hospital, product = w.who["hospital"], w.offers.products["trial"]
    w.story.tell(f'$ entrepot use {product} - --sql "{COUNTS}"')
    target = w.root / "trial.json"
    asking = Running(
        "use", product, target, "--sql", COUNTS, "--purpose", "research", "--wait", node=w.company
    )
    waiting: list[str] = []

    def asked() -> bool:
        rows = entrepot("negotiation", "list", node=hospital)
        waiting[:] = [n["id"] for n in rows if n["waitsForYou"]]
        return bool(waiting)

    wait_until("the hospital is asked", asked)
    entrepot("negotiation", "approve", waiting[0], node=hospital)
    w.story.proved(
        "high data waits for a person",
        f"the hospital approved negotiation {waiting[0][:20]}… by hand",
        holds=True,
    )
    institute, asked_to_sign = w.who["institute"], []

    def asked_too() -> bool:
        rows = entrepot("contract", "requests", node=institute)
        asked_to_sign[:] = [r for r in rows if r["waitsForYou"]]
        return bool(asked_to_sign)

    wait_until("the institute is asked", asked_too)
    signed = entrepot("contract", "sign", asked_to_sign[0]["id"], node=institute)
    got = asking.answer()
    w.story.proved(
        "whoever brings the algorithm signs as a third party, before anything is filed",
        f"the institute signed contract {signed['contract'][:20]}… for {signed['algorithms'][0][:24]}…",
        holds=contract_of(institute, got["agreement"])["as"] == "service",
    )
    answer = json.loads(target.read_bytes())
    for arm, patients, before, after in answer["rows"]:
        change = float(after) - float(before)
        w.story.tell(
            f"{ARMS[int(arm)]:26} {patients:>4} patients,"
            f" CD4 {float(before):5.1f} → {float(after):5.1f} ({change:+.1f})"
        )
    w.story.proved(
        "no row of a patient left the hospital",
        f"groups of at least {answer['smallestGroup']}; run in: {answer['tier']}; use {got['use']}",
        holds=len(answer["rows"]) == 4,
    )
    await_receipt(hospital, got["use"])


def proof(w: Walk) -> tuple[Path, Path]:
    """The use is on the ledger, witnessed, and can be shown to a stranger."""
    w.story.chapter("6  The proof: on the ledger, witnessed, and packed for a court")
    package, provider = w.root / "evidence", w.who["institute"]

    def exported() -> bool:
        shutil.rmtree(package, ignore_errors=True)
        code, _ = call("evidence", "export", w.use_id, package, node=provider)
        return code == 0

    wait_until("the use is witnessed", exported)
    w.story.proved(
        "the use is anchored and witnessed",
        f"evidence package with {sum(f.is_file() for f in package.rglob('*'))} files",
        holds=package.is_dir(),
    )
    policy = w.root / "space.policy"
    policy.write_text(entrepot("ledger", "policy", node=w.who["regulator"])["policy"], "utf-8")
    code, _ = call("evidence", "verify", package, "--policy-file", policy)
    w.story.proved("it verifies against the regulator's policy file", "exit code 0", holds=code == 0)
    code, _ = call("evidence", "verify", package)
    w.story.proved("without that file it is consistent, not trusted", f"exit code {code}", holds=code == 3)
    return package, policy


def refusals(w: Walk) -> None:
    """What was not promised does not happen."""
    w.story.chapter("7  What was not promised does not happen")
    cars, trial = w.offers.products["cars"], w.offers.products["trial"]
    refused(w, "a purpose not promised", cars, w.root / "no.json", "--purpose", "marketing")
    entrepot("use", cars, w.root / "second.json", "--purpose", "research", "--wait", node=w.company)
    refused(w, "the third use of two", cars, w.root / "third.json", "--agreement", w.agreement)
    refused(w, "a query for rows", trial, w.root / "rows.json", "--sql", "SELECT pidnum, cd40 FROM trial")
    one = "SELECT count(*) AS n FROM trial WHERE age >= 18"
    refused(
        w, "a question that differs by a few patients from one that was answered", trial,
        w.root / "few.json", "--sql", one.replace("18", "13"), after=("--sql", one),
    )  # fmt: skip
    product, agreement, ends = w.offers.brief_contract()
    w.story.tell(f"(a contract of {TRIAL} s over the tests was signed and used at the start)")
    if (left := seconds_until(ends)) > 0:
        w.story.tell(f"(it ends in {left:.0f} s)")
    wait_until("the brief contract has ended", lambda: is_over(ends), seconds=TRIAL)
    refused(w, "a use under an expired contract", product, w.root / "late.json", "--agreement", agreement)


def stopped(w: Walk) -> None:
    """A supervisor's order ends what runs, in mid-stream."""
    w.story.chapter("8  The regulator orders a stop, in mid-stream")
    regulator, institute, company = w.who["regulator"], w.who["institute"], w.company
    big = w.offers.large()
    target = w.root / "large.bin"
    fetching = Running("use", big["id"], target, "--wait", node=company)
    part = target.with_name(target.name + ".part")
    wait_until("bytes arrive", lambda: part.exists() and part.stat().st_size > 0, pause=0.002)
    with company.held_still():
        contract = next(c for c in entrepot("register", "list", node=regulator) if c["product"] == big["id"])
        since = time.monotonic()
        order = entrepot("register", "stop", contract["contract"], "--why", "complaint 17", node=regulator)
        wait_until("the stream is cut", lambda: institute.unread_streams() == 0, pause=0.01)
        took = time.monotonic() - since
    arrived = part.stat().st_size if part.exists() else 0
    w.story.proved(
        "what ran was cut at once, read or not",
        f"{took:.1f} s after the order; {arrived >> 20} of {big['size'] >> 20} MiB had come",
        holds=arrived < big["size"],
    )
    code, said = fetching.finish()
    w.story.proved("it does not go on", said["problem"][:110], holds=code == 3 and not target.exists())

    def acknowledged() -> bool:
        rows = entrepot("register", "order", order["order"], node=regulator)
        return len(rows) == 2 and all(r["acknowledgedAt"] for r in rows)

    wait_until("both have acknowledged", acknowledged)
    w.story.proved("both parties have acknowledged the order", f"order {order['order']}", holds=True)


def shut_out(w: Walk) -> None:
    w.story.chapter("9  A member is shut out")
    operator, product = w.who["operator"], w.offers.products["cars"]
    entrepot("member", "revoke", w.company.did, "--reason", "breach", node=operator)
    since = time.monotonic()

    def refused_now() -> bool:
        code, _ = call("use", product, w.root / "revoked.json", "--purpose", "research", node=w.company)
        return code == 3

    wait_until("the revoked member is refused", refused_now, seconds=STATUS_MAX_AGE + 15)
    w.story.proved(
        "a revoked member is refused", f"{time.monotonic() - since:.1f} s after its revocation", holds=True
    )


def forgery(w: Walk) -> None:
    """The operator's own database is changed; the follower finds it, a witness alone would not."""
    w.story.chapter("10  Somebody changes an old row of the ledger's database")
    operator, regulator = w.who["operator"], w.who["regulator"]
    before = entrepot("ledger", "audit", node=regulator)
    entry = change_one_byte(operator.folder / "ledger.db")
    code, found_now = call("ledger", "audit", node=regulator)
    w.story.tell(f"one byte of entry {entry} was changed in the operator's file")
    differs = [d["entry"] for d in found_now["differences"]]
    w.story.proved(
        "the follower names the changed entry",
        f"{before['entries']} entries were as they should be; now entry {differs} is not",
        holds=code == 8 and entry in differs and not before["differences"],
    )
    w.offers.another()
    wait_until("the ledger goes on", lambda: standing(operator)["size"] > before["entries"])
    wait_until("the head is witnessed", lambda: is_witnessed(operator))
    leaves = standing(operator)["witnessed"]
    w.story.proved(
        "a witness alone would not have noticed",
        f"it goes on cosigning: now {leaves} leaves, for it sees heads and proofs, not stored rows",
        holds=leaves > before["entries"],
    )


def court(w: Walk, package: Path, policy: Path) -> None:
    """A stranger with one file of Python and no Entrepot checks the package; then with one byte changed."""
    w.story.chapter("11  A court checks it with one file of standard-library Python")
    code, said = stand_alone(w.root, package, policy)
    for line in said[:14]:
        w.story.tell(line)
    w.story.proved("the stand-alone verifier trusts it", f"exit code {code}", holds=code == 0)
    victim = max((f for f in package.rglob("*") if f.is_file()), key=lambda f: f.stat().st_size)
    raw = bytearray(victim.read_bytes())
    raw[len(raw) // 2] ^= 1
    victim.write_bytes(raw)
    code, _ = stand_alone(w.root, package, policy)
    w.story.proved("one changed byte and it does not", f"exit code {code}, in {victim.name}", holds=code != 0)


def refused(w: Walk, what: str, product: str, *words: object, after: tuple[str, ...] = ()) -> None:
    if after:
        entrepot("use", product, w.root / "first.json", *after, "--wait", node=w.company)
    code, said = call("use", product, *words, "--wait", node=w.company)
    w.story.proved(f"refused: {what}", said["problem"][:110], holds=code == 3)


def contract_of(company: Organisation, agreement: str) -> dict[str, object]:
    return next(c for c in entrepot("contract", "list", node=company) if c["agreement"] == agreement)


def await_receipt(provider: Organisation, use_id: str) -> None:
    def settled() -> bool:
        return any(u["use"] == use_id and u["receipt"] == "agreed" for u in entrepot("uses", node=provider))

    wait_until("the receipt", settled)


if __name__ == "__main__":
    sys.exit(main())
