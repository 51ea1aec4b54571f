"""The connector role put together: its routes, loops, and what it sends."""

from datetime import timedelta
from typing import Final

from entrepot import contracts, space, use
from entrepot.identity import KeyJob
from entrepot.node.anchor import sealing_loop, usage_settled
from entrepot.node.finding import owner_search, shelf_loop
from entrepot.node.gather import packed_evidence, uses_under
from entrepot.node.http import RawRoute
from entrepot.node.loops import OutboxLoop
from entrepot.node.naming import naming_loop
from entrepot.node.node import Loop, Part
from entrepot.node.roles.connector import Connector
from entrepot.node.roles.connector_owner import owner_routes
from entrepot.node.roles.connector_versions import version_routes
from entrepot.node.roles.elsewhere_owner import elsewhere_routes
from entrepot.node.roles.process_owner import process_routes
from entrepot.node.roles.products_owner import product_routes
from entrepot.node.roles.restored_owner import comparing_loop, restored_routes
from entrepot.node.roles.service_owner import service_routes
from entrepot.node.roles.side_owner import side_routes
from entrepot.node.roles.sources_owner import api_door, clearing_loop, source_routes
from entrepot.node.roles.use_owner import use_routes
from entrepot.protocols import Content, Proof, Shape, dsp, tds
from entrepot.use import DeliveryDoor, Doors, Handler, Inbox
from entrepot.use.process import PUSHING
from entrepot.use.query import QueryDoor

_INBOX_PATH: Final = "/inbox/{process}"
_DOOR_PATHS: Final = ("/door/{process}", "/door/{process}/{below:path}")
_ANY: Final = Content({}, "*/*")
_DELIVERED: Final = Shape({200: (_ANY,), 206: (_ANY,)}, fails={416: ()})
_ANSWERED: Final = Shape({200: (_ANY,)}, Content({"type": "object"}, optional=True))
_PUSHED: Final = Shape({200: (), 201: (), 202: ()}, _ANY, fails={409: (), 423: ()})


def connector_part(connector: Connector, client: tds.Client) -> Part:
    """Put the role together."""
    node = connector.node
    services = dsp.Services(
        node.journal,
        connector.desk,
        connector.rail,
        connector.published,
        connector.may_open,
        connector.catalog,
        connector.dataset,
        connector.check_callback,
    )
    correspondence = dsp.Correspondence(
        node.journal,
        connector.desk,
        connector.rail,
        node.outgoing,
        node.acquaintance.authorization,
        timedelta(seconds=node.settings.messages.too_early),
    )
    party = tds.PartyServices(
        node.journal,
        connector.desk,
        node.settings.space.platform,
        node.acquaintance.document,
        client.member_card,
        lambda tx, sender, signed: use.take_in_receipt(tx, connector.house, sender, signed),
        connector.cut,
        node.clock,
    )
    openings = tds.OpeningsServices(
        node.journal,
        node.me,
        client.member_card,
        lambda contract_id, use_id: packed_evidence(node, contract_id, use_id),
        lambda contract_id: node.journal.read(lambda c: uses_under(c, contract_id)),
    )
    signing = tds.Signing(node.journal, connector.desk, client, node.vault.signer(KeyJob.EVIDENCE))
    handlers: dict[str, Handler] = {
        "EntrepotApi-PULL": api_door(node, connector.house, connector.streams),
        "EntrepotQuery-PULL": QueryDoor(node.journal, connector.house, connector.streams, connector.children),
        "HttpData-PULL": DeliveryDoor(node.journal, connector.house, connector.streams, connector.sealer),
    }
    doors = Doors(node.journal, handlers)
    inbox = Inbox(node.journal, connector.inbox_token, node.vault.receiver)
    node.journal.write_now(lambda tx: use.interrupt_dead(tx, connector.house))
    # A queue of its own: what takes hours must not hold up messages.
    pushes = OutboxLoop(node.journal, {PUSHING: connector.pusher().send}, node.boot, node.clock)
    base = connector.desk.callback
    return Part(
        public=[
            *dsp.routes(services),
            *tds.party_routes(party),
            tds.openings_route(openings),
            RawRoute("GET", _INBOX_PATH, Proof.INBOX_TOKEN, inbox, Shape({200: ()})),
            RawRoute("POST", _INBOX_PATH, Proof.INBOX_TOKEN, inbox, _PUSHED),
            *(RawRoute("GET", p, Proof.DOOR_TOKEN, doors, _DELIVERED) for p in _DOOR_PATHS),
            *(RawRoute("POST", p, Proof.DOOR_TOKEN, doors, _ANSWERED) for p in _DOOR_PATHS),
        ],
        owner=[
            *owner_routes(connector),
            *use_routes(connector, client),
            *process_routes(connector),
            *service_routes(connector),
            *restored_routes(node),
            *side_routes(node, client),
            *source_routes(node),
            *version_routes(connector),
            *product_routes(connector),
            *elsewhere_routes(connector),
            owner_search(client.search),
        ],
        loops=[
            sealing_loop(node),
            comparing_loop(node, connector.cut),
            Loop("acquire", 1.0, connector.acquirer.run, wakes=True, alone=True),
            Loop("doors", 1.0, connector.watch_doors, wakes=True),
            Loop("tidy", 5.0, connector.tidy, alone=True),
            Loop("guests", node.settings.status.poll, connector.look_at_guests, alone=True),
            Loop("silent peers", 15.0, dsp.Silence(correspondence, node.clock).run, alone=True),
            shelf_loop(node.journal),
            naming_loop(connector),
            clearing_loop(node),
            Loop("push", 1.0, pushes.run, wakes=True),
            Loop("tell ends", 5.0, connector.ends.work, wakes=True, alone=True),
        ],
        senders={
            contracts.DSP: correspondence.send,
            contracts.SIGNING: signing.send,
            space.TDS: tds.Notices(node.journal, client).send,
        },
        settled={"usage.batch": lambda signed, status: usage_settled(node, signed, status)},
        services={"DataService": base, "CatalogService": base},
        close=connector.children.close,
    )
