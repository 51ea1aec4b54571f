"""Regions: codes of GB/T 2260, where a shorter code holds every longer one that it begins.

`31`, `3100` and `310000` are one place (Shanghai), written `31` here; `3101` and `310115` lie in it. What
begins with `00` is the industry of a node's code (NDI-04, 4.2), and no region.
"""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

_REGION: Final = re.compile(r"[1-8]\d(?:\d\d(?:\d\d)?)?", re.ASCII)


@lru_cache(maxsize=4_096)  # asked at every decision, about a few regions
def short_region(code: str) -> str | None:
    """The code without the pairs of zeros that say "all of it"; None where it is no region."""
    if not _REGION.fullmatch(code) or (len(code) == 6 and code[2:4] == "00" != code[4:]):
        return None
    while len(code) > 2 and code.endswith("00"):
        code = code[:-2]
    return code


def wider_regions(codes: Iterable[str]) -> frozenset[str]:
    """The regions that hold one of these short codes without being it: too coarse to tell."""
    return frozenset(code[:length] for code in codes for length in range(2, len(code), 2))
