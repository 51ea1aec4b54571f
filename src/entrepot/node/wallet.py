"""The identity of a node towards others, put together: credential service, token service, asking issuers."""

from collections.abc import Sequence

from entrepot import identity
from entrepot.identity import KeyJob, OwnCredential
from entrepot.node.node import Node
from entrepot.protocols import dcp
from entrepot.values import Did


async def good_credentials(node: Node) -> Sequence[OwnCredential]:
    """Our credentials that hold now, as far as this node knows."""
    now = node.clock()
    return await node.journal.read(
        lambda c: [
            own for own in identity.own_credentials(c, node.me) if identity.is_good(c, own.credential, now)
        ]
    )


async def _shown(node: Node, reader: Did) -> Sequence[OwnCredential]:
    """Those of them in a form that this verifier is to see: some read one, and refuse all for the other.

    Whoever is not known as a member may be a guest: whom we call reads who we are before we know.
    """
    forms, of_guests = node.settings.wallet.forms, node.settings.guests.forms
    if of_guests and reader != node.settings.space.platform:
        known = await node.journal.look_up(lambda c: identity.known_member(c, reader))
        forms = forms if known else of_guests
    return [own for own in await good_credentials(node) if own.credential.form in forms]


def credential_service(node: Node, did_document: bytes) -> dcp.Services:
    return dcp.Services(
        me=node.me,
        signer=node.vault.signer(KeyJob.IDENTITY),
        did_document=lambda: did_document,
        held=lambda reader: _shown(node, reader),
        identify=node.acquaintance.identify,
        access=node.access,
        clock=node.clock,
        storage=dcp.Storage(
            journal=node.journal,
            me=node.me,
            platform=node.settings.space.platform,
            identify=node.acquaintance.identify,
            document=node.acquaintance.document,
            access=node.access,
            believes=node.believes,
            take_in_membership=node.acquaintance.take_in_own_credential,
            profile=node.profile,
            clock=node.clock,
            follows_offers=node.settings.wallet.follow_offers,
        ),
    )


def token_service(node: Node) -> dcp.TokenService:
    return dcp.TokenService(node.journal, node.me, node.id_token, node.grant, node.clock)


def asking(node: Node) -> dcp.Asking:
    return dcp.Asking(
        node.journal,
        node.outgoing,
        node.acquaintance.document,
        node.authorization,
        node.grant,
        node.clock,
    )
