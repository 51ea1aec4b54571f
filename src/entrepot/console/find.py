"""Find products: what the space offers, in words and within filters, a page at a time."""

from typing import Final
from urllib.parse import urlencode

from entrepot.console.house import Pages, Visit
from entrepot.console.model import FoundPage
from entrepot.console.owner import Owner
from entrepot.console.page import Answer, Shown
from entrepot.console.words import NAMES

ASKED: Final = ("words", "grade", "kind", "provider")
_A_PAGE: Final = 20


def pages(owner: Owner) -> Pages:
    async def find(visit: Visit) -> Answer:
        asked = {name: value for name in ASKED if (value := visit.query.get(name, "").strip())}
        offset = visit.query.get("offset", "") or "0"
        wanted = asked | {"offset": offset, "limit": str(_A_PAGE)}
        found = await owner.read(FoundPage, "/owner/search", wanted)
        first = int(offset)
        before = None if first == 0 else max(first - _A_PAGE, 0)

        def place(start: int | None) -> str:
            return "" if start is None else f"{visit.to('find')}?{urlencode(asked | {'offset': str(start)})}"

        values = {
            "found": found,
            "first": first + 1,
            "last": first + len(found.products) + len(found.not_acceptable),
            "asked": dict.fromkeys(ASKED, "") | asked,
            "grades": list(NAMES["grade"]),
            "kinds": list(NAMES["kind"]),
            "earlier": place(before),
            "later": place(found.next_offset),
        }
        return Shown("find.html", values)

    return {("GET", "/find"): find}
