"""The credential service under test for the official suite of the Decentralized Claims Protocol.

The product's credential service and token service, over real sockets. What belongs to the suite alone is
the client whose secret its settings hold.
"""

import argparse
from collections.abc import Sequence

from dcp import CLIENT, SECRET
from dcp_party import Party, main

from entrepot.identity import OwnCredential, is_good, make_token_client, own_credentials
from entrepot.protocols.dcp import PATH, Services, Storage, TokenService, routes
from entrepot.values import Did

SCOPES = ("org.eclipse.dspace.dcp.vc.type:*",)


async def serve(options: argparse.Namespace) -> None:
    party = Party("holder", {"CredentialService": PATH}, options)

    async def held(_reader: Did) -> Sequence[OwnCredential]:
        now = party.clock()
        return await party.journal.read(
            lambda c: [own for own in own_credentials(c, party.me) if is_good(c, own.credential, now)]
        )

    async def no_membership(_raw: str) -> None:
        """A node of no space has none."""

    storage = Storage(
        journal=party.journal,
        me=party.me,
        platform=party.me,
        identify=party.acquaintance.identify,
        document=party.acquaintance.document,
        access=party.access,
        believes=lambda issuer: issuer == party.issuer,
        take_in_membership=no_membership,
        profile=party.profile,
        clock=party.clock,
    )
    services = Services(
        me=party.me,
        signer=party.signer,
        did_document=lambda: party.document,
        held=held,
        identify=party.acquaintance.identify,
        access=party.access,
        clock=party.clock,
        storage=storage,
        profile=party.profile,
    )
    tokens = TokenService(party.journal, party.me, party.id_token, party.grant, party.clock)
    await party.journal.write(lambda tx: make_token_client(tx, CLIENT, SECRET, SCOPES))
    await party.serve(options.port, [*routes(services), *tokens.routes()], {})


if __name__ == "__main__":
    main(__doc__, serve)
