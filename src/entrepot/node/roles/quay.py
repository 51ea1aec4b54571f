"""What our data plane stands on: its addresses, and tokens that are derived and not kept."""

from entrepot.contracts import DoorAddress
from entrepot.node.node import Node
from entrepot.protocols import dps
from entrepot.use.flow import planes
from entrepot.use.flow.model import HTTP_PUSH, Quay
from entrepot.values import ProcessId, origin_of


def quay_of(node: Node) -> Quay:
    """The quay of a node. Every token is derived, as those of all doors are."""
    url, vault = node.settings.listen.url, node.vault
    listed = {origin_of(origin) for origin in node.settings.outgoing.allow_private}

    def basin(flow_id: ProcessId) -> DoorAddress:
        token = vault.derive("basin", flow_id.encode()).hex()
        return DoorAddress(f"{url}/basin/{flow_id}", token, HTTP_PUSH)

    return Quay(
        opening=planes.open_by_owner,
        door_token=lambda pid, epoch: vault.derive("door", f"{pid} {epoch}".encode()).hex(),
        door_endpoint=lambda pid: f"{url}/door/{pid}",
        refresh_token=lambda pid, since: vault.derive("refresh", f"{pid} {since}".encode()).hex(),
        refresh_endpoint=f"{url}{dps.PATH}/token",
        basin=basin,
        seal=vault.seal,
        unseal=vault.unseal,
        signal=dps.signal,
        may_call=lambda address: address.startswith("https://") or origin_of(address) in listed,
    )
