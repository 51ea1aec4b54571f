"""Every page in both languages, by day and by night, wide and narrow: read, measured, and kept as a picture.

The pictures are written to `build/console`, to be looked at; nothing is compared with a picture.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page
from sitting import Sitting
from town import Town

from space import wait_for

PICTURES = Path(__file__).parents[2] / "build" / "console"

PLANE = {
    "dataplaneId": "lake",
    "endpoint": "https://lake.example/signaling",
    "profiles": ["http-pull"],
    "authorization": {"type": "bearer", "token": "Bearer of the lake's own", "ourToken": "Bearer of our own"},
}

# Every text against what lies behind it (WCAG 2.2, 1.4.3), and what a reader of the page is told.
MEASURE = """() => {
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 1;
    const pen = canvas.getContext("2d", {willReadFrequently: true});
    const rgba = (colour) => {
        pen.clearRect(0, 0, 1, 1);
        pen.fillStyle = colour;
        pen.fillRect(0, 0, 1, 1);
        const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
        return [r, g, b, a / 255];
    };
    const over = (top, under) => [0, 1, 2].map((n) => top[n] * top[3] + under[n] * (1 - top[3]));
    const behind = (at) => {
        const layers = [];
        for (let e = at; e; e = e.parentElement) layers.unshift(rgba(getComputedStyle(e).backgroundColor));
        return layers.reduce((under, top) => over(top, under), rgba("Canvas").slice(0, 3));
    };
    const light = (c) => {
        const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [r, g, b] = c.map((v) => linear(v / 255));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const faults = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const at = walker.currentNode.parentElement;
        const text = walker.currentNode.data.trim();
        if (!text || at.closest(".unseen, .skip, script") || !at.getClientRects().length) continue;
        const look = getComputedStyle(at);
        const ground = behind(at);
        const [a, b] = [light(over(rgba(look.color), ground)), light(ground)].sort((x, y) => y - x);
        const ratio = (a + 0.05) / (b + 0.05);
        const size = parseFloat(look.fontSize);
        const wanted = size >= 24 || (size >= 18.66 && look.fontWeight >= 700) ? 3 : 4.5;
        if (ratio < wanted) faults.push(`${ratio.toFixed(2)}: ${text}`);
    }
    const width = document.documentElement.scrollWidth;
    if (width > innerWidth) faults.push(`wider than the screen: ${width}`);
    for (const e of document.querySelectorAll("a, button, input:not([type=hidden]), select")) {
        if (e.closest("[aria-hidden]") || e.hasAttribute("aria-hidden")) continue;
        const labels = [...(e.labels || [])].map((label) => label.innerText);
        const name = [e.getAttribute("aria-label"), e.innerText, ...labels].join("");
        if (!name.trim()) faults.push(`nameless: ${e.outerHTML.slice(0, 80)}`);
    }
    if (document.querySelectorAll("h1").length !== 1) faults.push("not one main heading");
    return faults;
}"""

LOOKS = [
    pytest.param("en", "light", 1280, id="en-day-wide"),
    pytest.param("zh", "dark", 1280, id="zh-night-wide"),
    pytest.param("zh", "light", 390, id="zh-day-narrow"),
    pytest.param("en", "dark", 390, id="en-night-narrow"),
]
"""Every page in both languages, by day and by night, wide and narrow."""


@pytest.fixture(scope="module")
def story(town: Town) -> dict[str, list[tuple[str, ...]]]:
    """Something on every page: a contract in use, one ended, an offer that waits; gives each node's pages."""
    product, _ = town.offer("Engine test bench, 2024", uses=5)
    used = town.space.use(product)
    over, _ = town.offer("Engine test bench, 2019", uses=5)
    ended = town.space.use(over)
    town.nodes["provider"].ask("POST", f"/owner/contracts/{ended.agreement}/end", {"reason": "breach"})
    asked, policy = town.offer("Engine test bench, 2025", uses=20)
    waits = town.ask_for(asked, policy, uses=50)
    wait_for(
        "the witness", lambda: town.witnessed(used.use, "provider") and town.witnessed(used.use, "consumer")
    )
    wait_for("the end", lambda: town.contract("consumer", over) is None or None)
    opened = town.open_transfer(town.offer_api("Engine test bench, live"))
    served = town.offer_served("Engine test bench, modelled")
    town.space.begin(served)
    asks = wait_for("a request", lambda: town.request(served))
    town.nodes["provider"].ask("PUT", "/owner/signaling/dataplanes", PLANE)
    applicant = town.nodes["applicant"].did
    return {
        "provider": [
            (),
            ("waiting",),
            ("waiting", waits),
            ("waiting", waits, "counter"),
            ("waiting", waits, "refuse"),
            ("products",),
            ("products", product),
            ("products", product, "withdraw"),
            ("contracts",),
            ("contracts", used.agreement),
            ("contracts", used.agreement, "stop"),
            ("contracts", ended.agreement),
            ("uses",),
            ("uses", used.use),
            ("transfers",),
            ("transfers", opened["provider"]),
            ("transfers", opened["provider"], "suspend"),
            ("planes",),
            ("nowhere",),
        ],
        "consumer": [
            (),
            ("find",),
            ("usable",),
            ("contracts", used.agreement, "may"),
            ("uses",),
            ("uses", used.use),
            ("uses", used.use, "sides"),
            ("find", product, "ask"),
            ("contracts", used.agreement),
            ("transfers", opened["consumer"], "stop"),
            ("waiting",),
        ],
        "service": [
            (),
            ("waiting",),
            ("signatures", asks["id"]),
            ("signatures", asks["id"], "refuse"),
            ("transfers",),
            ("planes",),
        ],
        "operator": [
            (),
            ("members",),
            ("members", applicant),
            ("members", applicant, "revoke"),
            ("members", "invite"),
            ("register",),
        ],
        "regulator": [(), ("supervision",), ("watch",)],
    }


def kept(page: Page, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png", full_page=True)


def looks(sitting: Sitting, pages: list[tuple[str, ...]], shape: str) -> Iterator[str]:
    """What is wrong with the look of these pages; each is kept as a picture."""
    for parts in pages:
        page = sitting.open(*parts)
        kept(page, "-".join((sitting.name, _named(parts), sitting.language, shape)))
        yield from (f"{sitting.page.url}: {fault}" for fault in page.evaluate(MEASURE))


def _named(parts: tuple[str, ...]) -> str:
    """A name for the picture of a page: its words, without what is named by an id."""
    return (
        "-".join(p for p in parts if p.isalpha()) + ("-one" if any(not p.isalpha() for p in parts) else "")
        or "home"
    )


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS, indirect=["language"])
@pytest.mark.parametrize("name", ["provider", "consumer", "service", "operator", "regulator"])
def test_every_page_can_be_read(
    at: Callable[..., Sitting],
    story: dict[str, list[tuple[str, ...]]],
    name: str,
    scheme: str,
    width: int,
) -> None:
    """Words too pale, cut off at the side, or a control without a name: somebody cannot use it."""
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    with at(name, **settings) as sitting:
        assert list(looks(sitting, story[name], f"{scheme}-{width}")) == []
        sitting.complaints[:] = [c for c in sitting.complaints if "404" not in c]  # the page that is nowhere


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS, indirect=["language"])
def test_the_way_in_can_be_read(at: Callable[..., Sitting], scheme: str, width: int) -> None:
    """As above, for the page that everybody sees first."""
    settings = {"color_scheme": scheme, "viewport": {"width": width, "height": 900}}
    with at("provider", **settings) as sitting:
        sitting.page.goto(sitting.address("sign-in"))
        kept(sitting.page, f"sign-in-{sitting.language}-{scheme}-{width}")
        assert sitting.page.evaluate(MEASURE) == []
