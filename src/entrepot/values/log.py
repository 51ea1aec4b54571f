"""Facts told to the operator: an event and what belongs to it, wherever the decision was made.

`node.logs` gives them their form. What is loaded by the simplest node is the standard library's own.
"""

import logging
import sys
from typing import Final

FACTS: Final = "facts"
"""The attribute under which a record carries what belongs to its event."""
_LOGGER: Final = logging.getLogger("entrepot")


class Log:
    """Tells events with their facts; a fault that is told of with `exception` is the one being handled."""

    def info(self, event: str, **facts: object) -> None:
        _LOGGER.info(event, extra={FACTS: facts})

    def warning(self, event: str, *, exc_info: BaseException | None = None, **facts: object) -> None:
        _LOGGER.warning(event, exc_info=exc_info, extra={FACTS: facts})

    def error(self, event: str, **facts: object) -> None:
        _LOGGER.error(event, extra={FACTS: facts})

    def exception(self, event: str, **facts: object) -> None:
        _LOGGER.error(event, exc_info=sys.exc_info(), extra={FACTS: facts})
