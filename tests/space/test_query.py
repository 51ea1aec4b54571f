"""Queries in place among real processes, on the trial ACTG 175: answers, limits, records, receipts."""

import csv
import http.client
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from entrepot.identity import Vault
from entrepot.use.query import Tier, read_answer
from entrepot.values import DataType, data_code, render_digest, sha256
from space import PASSPHRASE, Acquiring, Space, agrees_with_ledger, at_rest, records, wait_for

K = 10
LIMIT = 6
CALLERS = 10
FORMAT = "EntrepotQuery-PULL"
ROLES = {
    "arms": "dimension", "gender": "dimension", "race": "dimension", "age": "dimension",
    "cd40": "measure", "cd420": "measure", "wtkg": "measure",
}  # fmt: skip
BY_ARM = "SELECT arms, count(*) AS patients, sum(cd40) AS cd4, avg(wtkg) AS kg FROM trial GROUP BY arms"


@pytest.fixture(scope="module")
def trial() -> Path:
    """The published file; skips by name where the package index cannot be reached."""
    spec = importlib.util.spec_from_file_location("data", Path(__file__).parents[2] / "examples" / "data.py")
    assert spec is not None
    assert spec.loader is not None
    data = sys.modules.setdefault("examples_data", importlib.util.module_from_spec(spec))
    spec.loader.exec_module(data)
    try:
        path: Path = data.fetch("trial").path
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the clinical trial cannot be had here: {type(error).__name__}")
    return path


@pytest.fixture(scope="module")
def rows(trial: Path) -> list[dict[str, str]]:
    with trial.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def product(space: Space, trial: Path) -> str:
    """The trial, offered for so many questions."""
    bare = space.root / "trial.csv"
    lines = trial.read_text().splitlines()  # its first column, without a name, only counts the rows
    bare.write_text("\n".join(line.partition(",")[2] for line in lines) + "\n")
    attached = space.provider.ask("POST", "/owner/sources", {"kind": "csv", "where": str(bare)})
    constraint = {"leftOperand": "odrl:count", "operator": "lteq", "rightOperand": str(LIMIT)}
    offered: str = space.provider.ask(
        "POST",
        "/owner/products",
        {
            "id": data_code(DataType.PRODUCT, space.provider.code, "3101", "Q0000001"),
            "resource": attached["resource"],
            "title": "Trial of four treatments",
            "description": "One row a patient",
            "rights": "research",
            "grade": "L4",
            "kinds": ["query"],
            "policy": {"permission": [{"action": "use", "constraint": [constraint]}]},
            "protection": {"table": "trial", "subject": "pidnum", "k": K, "roles": ROLES},
        },
    )["id"]
    wait_for("its listing", lambda: space.operator.rows("SELECT 1 FROM product WHERE id = ?", offered))
    return offered


class Door:
    """The provider's door under one agreement, for whoever has its token."""

    def __init__(self, space: Space, agreement: str) -> None:
        hung = space.provider.rows("SELECT process_id, epoch FROM door WHERE agreement_id = ?", agreement)
        self._process, epoch = hung[0]
        self._public = space.provider.public
        vault = Vault.open(space.provider.folder / "vault", PASSPHRASE)
        self._token = vault.derive("door", f"{self._process} {epoch}".encode()).hex()

    def ask(self, sql: str) -> tuple[int, str, bytes]:
        return self.call("POST", json.dumps({"sql": sql}))

    def call(self, method: str, body: str | None = None) -> tuple[int, str, bytes]:
        connection = http.client.HTTPConnection(self._public, timeout=120)
        try:
            headers = {"authorization": f"Bearer {self._token}", "content-type": "application/json"}
            connection.request(method, f"/door/{self._process}", body, headers)
            reply = connection.getresponse()
            return reply.status, reply.headers.get("entrepot-use", ""), reply.read()
        finally:
            connection.close()


def use_by_acquisition(space: Space, product: str, sql: str, name: str) -> Acquiring:
    """One question of the consumer's, by its owner's API; the provider lets the contract in by hand."""
    target = space.root / name
    asked = {"product": product, "target": str(target), "format": FORMAT, "body": json.dumps({"sql": sql})}
    space.consumer.ask("POST", "/owner/uses", asked)
    acquiring = Acquiring(space, target)

    def let_in() -> bool:
        for negotiation in space.provider.ask("GET", "/owner/negotiations")["negotiations"]:
            if negotiation["waitsForYou"]:
                space.provider.ask("POST", f"/owner/negotiations/{negotiation['id']}/approve")
        return acquiring.is_over() is not None

    wait_for("the answer", let_in)
    return acquiring


@pytest.fixture(scope="module")
def first(space: Space, product: str) -> Acquiring:
    """The first question, from promise to answer."""
    return use_by_acquisition(space, product, BY_ARM, "by-arm.json")


def test_the_answer_is_what_the_data_say(first: Acquiring, rows: list[dict[str, str]]) -> None:
    """The research company must get what the hospital would compute, exactly, and nothing else."""
    first.received()
    answer = read_answer(first.target.read_bytes())

    expected = []
    for arm in range(4):
        of_arm = [r for r in rows if r["arms"] == str(arm)]
        expected.append((arm, len(of_arm), sum(int(r["cd40"]) for r in of_arm)))
    assert [row[:3] for row in answer.rows] == expected
    for (arm, patients, _), row in zip(expected, answer.rows, strict=True):
        mean = sum(Fraction(r["wtkg"]) for r in rows if r["arms"] == str(arm)) / patients
        assert float(str(row[3])) == pytest.approx(float(mean))
    assert answer.smallest_group == K
    assert answer.tier in {*map(str, Tier)}


def test_both_sides_have_the_answer_on_record(space: Space, first: Acquiring) -> None:
    """The provider's record, the consumer's receipt and the bytes that came must be one digest."""
    use = first.received().use
    wait_for("rest", lambda: at_rest(space))
    raw = first.target.read_bytes()

    opened, closed = (r for r in records(space.provider, use) if r["kind"] in {"opened", "closed"})
    assert (opened["kind"], closed["outcome"], closed["units"]["rows"]) == ("opened", "answered", 4)
    assert closed["artefact"] == render_digest(sha256(raw))
    assert closed["environment"] == read_answer(raw).tier
    (receipt,) = records(space.consumer, use)
    assert (receipt["kind"], receipt["artefact"]) == ("receipt", closed["artefact"])


def test_exactly_as_many_questions_are_answered_as_were_promised(space: Space, first: Acquiring) -> None:
    """Refusals of a text are free; every other end, of ten at once, takes one of the uses that are left."""
    ended = first.received()
    door = Door(space, ended.agreement)
    status, _, told = door.call("GET")
    assert (status, json.loads(told)["smallestGroup"]) == (200, K)
    refused = [door.ask(sql) for sql in ("SELECT * FROM trial", "SELECT max(cd40) FROM trial", "SELECT 1")]
    assert [(s, json.loads(b)["rule"]) for s, _, b in refused] == [
        (403, "rows"),
        (403, "aggregate"),
        (403, "table"),
    ]

    too_close = door.ask("SELECT sum(cd40) FROM trial WHERE age > 12")
    assert (too_close[0], json.loads(too_close[2])["rule"]) == (403, "difference")
    with ThreadPoolExecutor(CALLERS) as pool:
        answers = list(pool.map(lambda n: door.ask(BY_ARM + f" HAVING count(*) > {n}"), range(CALLERS)))

    assert Counter(s for s, _, _ in answers) == {200: LIMIT - 2, 403: CALLERS - LIMIT + 2}
    wait_for("rest", lambda: at_rest(space))
    counted = space.provider.rows("SELECT used FROM policy_counter WHERE agreement_id = ?", ended.agreement)
    assert counted == [(LIMIT,)]
    outcomes = space.provider.rows("SELECT outcome FROM use WHERE agreement_id = ?", ended.agreement)
    assert Counter(o for (o,) in outcomes) == {
        "refused": 3,
        "failed": 1,
        "answered": LIMIT - 1,
    }
    agrees_with_ledger(space.operator, space.provider)


def test_nothing_of_a_patient_is_written_down(
    space: Space, first: Acquiring, rows: list[dict[str, str]]
) -> None:
    """What is kept of earlier answers is how to ask for them again: no subject, no value, on either side."""
    first.received()
    kept = space.provider.rows("SELECT cells FROM use_query")
    told = [log for node in space.nodes for log in [node.log.read_text()]]

    assert kept
    patients = {r["pidnum"] for r in rows if len(r["pidnum"]) >= 6}
    assert patients
    for text in [*(bytes(c).decode() for (c,) in kept), *told]:
        # Whole numbers only: the microseconds of a time have six digits too.
        assert not patients & {*re.findall(r"(?<![\w.])\d{6,}(?!\w)", text)}


def test_the_children_are_gone_when_the_answer_is(space: Space, first: Acquiring) -> None:
    """A child that outlives its query holds the data open for nobody."""
    first.received()

    def left() -> list[Any]:
        stats = [Path(f"/proc/{p.name}/stat") for p in Path("/proc").iterdir() if p.name.isdigit()]
        return [s for s in stats if _parent(s) == space.provider.pid]

    wait_for("no children", lambda: not left())


def _parent(stat: Path) -> int:
    try:
        return int(stat.read_text().rpartition(")")[2].split()[1])
    except (OSError, ProcessLookupError):
        return 0
