"""What the providers of the story offer: real data, each under a description as a provider would write it."""

import hashlib
import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from data import DataSet
from plumbing import Organisation, entrepot

from entrepot.values import DataType, data_code

TRIAL = 60
"""Seconds that the brief contract lasts."""
MONTH = timedelta(days=30)
LARGE = 192 << 20
COUNTS = (
    "SELECT arms, count(*) AS patients, avg(cd40) AS before, avg(cd420) AS after FROM trial"
    " GROUP BY arms ORDER BY arms"
)
ODRL, OURS = "odrl:", "https://w3id.org/entrepot/v1/"


@dataclass
class Offers:
    """The products so far, by the name of their data."""

    root: Path
    who: dict[str, Organisation]
    data: dict[str, DataSet]
    products: dict[str, str] = field(default_factory=dict)
    brief: tuple[str, str, str] = ("", "", "")

    def make(self, key: str) -> dict[str, Any]:
        """Offer one of the three."""
        made = {"seattle-weather": self._weather, "cars": self._cars, "trial": self._trial}[key]()
        self.products[key] = made["id"]
        return made

    def brief_contract(self) -> tuple[str, str, str]:
        """A product whose terms are over in a minute, used once: product, agreement, and its end."""
        return self.brief

    def large(self) -> dict[str, Any]:
        """The tests many times over: long enough to be stopped in the middle."""
        raw = self.data["cars"].path.read_bytes()
        file = self.root / "large.json"
        with file.open("wb") as out:
            for _ in range(LARGE // len(raw)):
                out.write(raw)
        said = self._described("Vehicle tests, two thousand copies", "L2", ["delivery"], [_count(1)])
        return {**self._offer("institute", file, "LARGE001", said), "size": file.stat().st_size}

    def another(self) -> None:
        """Something new for the ledger."""
        said = self._described("Vehicle tests, third edition", "L2", ["delivery"], [_count(1)])
        self._offer("institute", self._copy("cars", "third"), "J9K0L1M2", said)

    def _weather(self) -> dict[str, Any]:
        terms = [_count(100), {"leftOperand": OURS + "rate", "operator": "lteq", "rightOperand": "60/minute"}]
        said = self._described("Daily weather of Seattle", "L1", ["api"], terms)
        return self._offer("office", self._copy("seattle-weather", "weather"), "W3X4Y5Z6", said)

    def _cars(self) -> dict[str, Any]:
        place = {"leftOperand": ODRL + "spatial", "operator": "isPartOf", "rightOperand": "31"}
        brief = self._described("Vehicle tests, trial access", "L2", ["delivery"], [_count(5)], seconds=TRIAL)
        product = self._offer("institute", self._copy("cars", "brief"), "E5F6G7H8", brief)["id"]
        company = self.who["company"]
        used = entrepot("use", product, self.root / "brief.json", "--wait", node=company)
        held = entrepot("contract", "list", node=company)
        ends = next(c["endsAt"] for c in held if c["agreement"] == used["agreement"])
        self.brief = (product, used["agreement"], ends)
        terms = [_purpose("research"), _count(2), place]
        said = self._described("Vehicle tests 1970–1982", "L2", ["delivery"], terms)
        said["policy"]["prohibition"] = [{"action": "odrl:distribute"}]
        return self._offer("institute", self._copy("cars", "cars"), "A1B2C3D4", said)

    def _trial(self) -> dict[str, Any]:
        terms = [_purpose("research"), _count(20), *_served(self.who["institute"].did, COUNTS)]
        said = self._described("Trial of four treatments", "L4", ["query"], terms)
        said["protection"] = {
            "table": "trial",
            "subject": "pidnum",
            "k": 10,
            "roles": {
                "arms": "dimension", "gender": "dimension", "age": "dimension",
                "cd40": "measure", "cd420": "measure",
            },
        }  # fmt: skip
        return self._offer("hospital", self._without_row_numbers(), "T7R8I9A0", said)

    def _without_row_numbers(self) -> Path:
        """The published file begins with a column without a name that only counts its rows."""
        file = self.root / "trial.csv"
        lines = self.data["trial"].path.read_text("utf-8").splitlines()
        file.write_text("\n".join(line.partition(",")[2] for line in lines) + "\n", "utf-8")
        return file

    def _copy(self, key: str, name: str) -> Path:
        source = self.data[key].path
        return Path(shutil.copy(source, self.root / f"{name}{source.suffix}"))

    def _described(
        self, title: str, grade: str, kinds: list[str], terms: list[dict[str, str]], *, seconds: float = 0
    ) -> dict[str, Any]:
        ends = datetime.now(UTC) + (timedelta(seconds=seconds) if seconds else MONTH)
        until = f"{ends:%Y-%m-%dT%H:%M:%SZ}"
        terms = [*terms, {"leftOperand": ODRL + "dateTime", "operator": "lteq", "rightOperand": until}]
        return {
            "title": title,
            "description": f"{title}: real data, offered for a demonstration.",
            "rights": "use for research; not to be passed on",
            "grade": grade,
            "kinds": kinds,
            "policy": {"permission": [{"action": "use", "constraint": terms}]},
        }

    def _offer(self, provider: str, file: Path, serial: str, said: dict[str, Any]) -> dict[str, Any]:
        organisation = self.who[provider]
        said = {"id": data_code(DataType.PRODUCT, organisation.code, "3101", serial), **said}
        description = self.root / f"{serial}.product.json"
        description.write_text(json.dumps(said, ensure_ascii=False), "utf-8")
        made: dict[str, Any] = entrepot("product", "offer", file, description, node=organisation)
        return made


def _count(uses: int) -> dict[str, str]:
    return {"leftOperand": ODRL + "count", "operator": "lteq", "rightOperand": str(uses)}


def _served(author: str, question: str) -> list[dict[str, str]]:
    """The institute's statisticians wrote the question, so it signs as service party."""
    digest = hashlib.sha256(question.encode()).hexdigest()
    brought = {"serviceParty": author, "serviceAlgorithm": f"cd4-change@1.0#sha256:{digest}"}
    return [
        {"leftOperand": OURS + name, "operator": "hasPart", "rightOperand": value}
        for name, value in brought.items()
    ]


def _purpose(purpose: str) -> dict[str, str]:
    return {"leftOperand": ODRL + "purpose", "operator": "eq", "rightOperand": purpose}
