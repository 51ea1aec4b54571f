"""Figures of a running node for whoever watches it, in the text form of Prometheus (owner's port).

Figures are read from what is durable when they are asked for; nothing counts on the side. No figure names a
party, a contract or a product.
"""

from importlib.metadata import version
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection

from entrepot import identity, ledger, use
from entrepot.journal import backlog
from entrepot.node.api import owner_route
from entrepot.node.node import Node
from entrepot.protocols import Call, Content, Response, Route
from entrepot.values import UtcTime

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_TEXT: Final = "text/plain; version=1.0.0; charset=utf-8"
"""The media type of Prometheus's text form."""
_NEVER: Final = -1.0


def metrics_route(node: Node) -> Route:
    async def show(_call: Call) -> Response:
        return Response(200, await node.journal.read(lambda c: figures(c, node)), _TEXT)

    figures_text = Content({"type": "string"}, _TEXT)
    return owner_route("GET", "/owner/metrics", show, figures_text)


def figures(connection: Connection, node: Node) -> bytes:
    """Every figure of this node now.

    The library is loaded by the first who asks, in the thread that reads: nobody else needs it.
    """
    from prometheus_client import CollectorRegistry, Gauge, Info
    from prometheus_client.exposition import generate_latest

    now, registry = node.clock(), CollectorRegistry()
    insecure = node.settings.identity.insecure_test
    about = {
        "version": version("entrepot"),
        "roles": " ".join(sorted(node.settings.roles)),
        "identity": "dcp" if insecure is None else f"insecure {insecure}",
    }
    Info("entrepot_node", "This node", registry=registry).info(about)
    waiting, oldest = backlog(connection)
    _set(registry, "outbox_messages", "Messages on their way", waiting)
    _set(registry, "outbox_overdue_seconds", "For how long the oldest has been due", _since(oldest, now))
    age = ledger.oldest_unanchored(connection, now).total_seconds()
    _set(registry, "records_unanchored_seconds", "Age of the oldest record not yet on the ledger", age)
    age = ledger.oldest_unwitnessed(connection, now).total_seconds()
    _set(registry, "records_unwitnessed_seconds", "Age of the oldest record not yet witnessed", age)
    known = identity.newest_status_list(connection, node.status_url)
    signed = None if known is None else known[0].signed_at
    age = _since(signed, now, _NEVER)
    _set(registry, "status_list_age_seconds", "Age of the status list; -1 where none is known", age)
    uses = Gauge("entrepot_uses", "Uses of what this node offers", ["state", "outcome"], registry=registry)
    for (state, outcome), count in use.uses_by_outcome(connection).items():
        uses.labels(state, outcome).set(count)
    return generate_latest(registry)


def _set(registry: "CollectorRegistry", name: str, what: str, value: float) -> None:
    from prometheus_client import Gauge

    Gauge(f"entrepot_{name}", what, registry=registry).set(value)


def _since(moment: UtcTime | None, now: UtcTime, otherwise: float = 0.0) -> float:
    return otherwise if moment is None else max((now - moment).total_seconds(), 0.0)
