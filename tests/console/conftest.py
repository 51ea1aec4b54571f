"""A browser, and a whole space to look at with it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "space")]

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")

from sitting import Sitting  # noqa: E402 (after Playwright is known to be there)
from town import Town, found_town  # noqa: E402 (as above)

CHROMIUM = Path("/usr/bin/chromium")


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Debian's Chromium; skips by name where it cannot be had."""
    if not CHROMIUM.exists():
        pytest.skip("there is no Chromium at /usr/bin/chromium (apt-get install chromium)")
    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    playwright.expect.set_options(timeout=20_000)  # as long as a step may take (`Sitting`)
    with playwright.sync_playwright() as running:
        opened = running.chromium.launch(executable_path=str(CHROMIUM), args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def town(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Six organisations; made only where there is a browser to look at them with."""
    del browser
    running = found_town(tmp_path_factory.mktemp("town"))
    yield running
    running.stop()


@pytest.fixture(params=["en", "zh"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def at(browser: Any, town: Town, language: str) -> Callable[..., Sitting]:
    """Sits down at the console of a node, in the language of the test."""

    def sit(name: str, **settings: Any) -> Sitting:
        return Sitting(browser, town, name, settings.pop("language", language), settings)

    return sit
