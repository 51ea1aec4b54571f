"""How sensitive data is, and the kinds of use there are.

Which grade admits which kind is law and custom, so it is dated data in `regulation`, not code here.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Grade(StrEnum):
    """National grade of a product: four levels of general data, important data, core data.

    GB/T 43697-2024, 6.4 and annex H. `order` grows with sensitivity.
    """

    L1 = "L1"
    L2 = "L2"
    L3 = "L3"
    L4 = "L4"
    IMPORTANT = "important"
    CORE = "core"

    @property
    def order(self) -> int:
        return tuple(Grade).index(self)


class KindOfUse(StrEnum):
    """How data is used, from the least protective to the most."""

    API = "api"
    DELIVERY = "delivery"
    QUERY = "query"
    JOB = "job"
    JOINT = "joint"


FORMATS: Final[Mapping[str, KindOfUse]] = MappingProxyType(
    {
        "EntrepotApi-PULL": KindOfUse.API,
        "HttpData-PULL": KindOfUse.DELIVERY,
        "HttpData-PUSH": KindOfUse.DELIVERY,
        "EntrepotQuery-PULL": KindOfUse.QUERY,
        "EntrepotJob-PULL": KindOfUse.JOB,
        "EntrepotJoint-PULL": KindOfUse.JOINT,
    }
)
"""The `format` of a transfer process, and the kind of use it opens."""
