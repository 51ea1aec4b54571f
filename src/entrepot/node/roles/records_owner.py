"""The owner's API of records: what is kept of one use, handed out or erased; and the clock that erases."""

from typing import Final

from entrepot import oversight
from entrepot.node import rows
from entrepot.node.api import answer, owner_route
from entrepot.node.node import Loop, Node
from entrepot.protocols import Call, Response, Route
from entrepot.values import UseId

_HOUR: Final = 3600.0


def record_routes(node: Node) -> list[Route]:
    async def export(call: Call) -> Response:
        use = UseId(call.path["id"])
        return Response(200, await node.journal.write(lambda tx: oversight.export(tx, use)))

    async def erase(call: Call) -> Response:
        use = UseId(call.path["id"])
        return answer({"use": use, "erased": await node.journal.write(lambda tx: oversight.erase(tx, use))})

    return [
        owner_route("POST", "/owner/records/{id}/export", export, rows.ExportedUse),
        owner_route("POST", "/owner/records/{id}/erase", erase, rows.ErasedRow),
    ]


def retention_loop(node: Node) -> Loop:
    """Destroys every hour what need not be kept any longer."""

    async def run() -> None:
        await node.journal.write(oversight.run_out)

    return Loop("retention", _HOUR, run)
