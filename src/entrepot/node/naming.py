"""Learns what products of others are called, so that a person need not read codes."""

from functools import partial
from typing import TYPE_CHECKING, Final

from entrepot import catalogue, contracts
from entrepot.node.node import Loop
from entrepot.values import EntrepotError, Log, ProductId, UnavailableError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from entrepot.node.roles.connector import Connector

_log: Final = Log()
_PERIOD: Final = 5.0
_MOST: Final = 50
_AT_ONCE: Final = 10


def naming_loop(connector: "Connector") -> Loop:
    """Asks the platform once for each product in talks or to be signed that has no title here yet."""
    journal, platform = connector.node.journal, connector.node.settings.space.platform
    asked: set[ProductId] = set()

    async def run() -> None:
        nameless = await journal.read(_nameless)
        for product_id in [p for p in nameless if p not in asked][:_AT_ONCE]:
            try:
                product, _ = await connector.acquirer.product_at(platform, product_id)
                await journal.write(partial(catalogue.keep_title, product=product))
            except UnavailableError:
                return
            except EntrepotError as error:
                _log.info("no title", error=type(error).__name__)
            asked.add(product_id)

    return Loop("titles", _PERIOD, run, alone=True)


def _nameless(connection: "Connection") -> list[ProductId]:
    """Products of the newest negotiations and requests that nobody has told us the title of."""
    targets = [
        *(n.offer.target for n in contracts.negotiations(connection, _MOST)),
        *(c.agreement.target for c in contracts.service_contracts(connection, _MOST)),
    ]
    return [t for t in dict.fromkeys(targets) if catalogue.title_of(connection, t) is None]
