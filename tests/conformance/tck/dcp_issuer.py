"""The issuer under test for the official suite of the Decentralized Claims Protocol.

The product's issuer and its deliveries, over real sockets. What belongs to the suite alone is said here: it
issues two types to everybody who asks.
"""

import argparse
from collections.abc import Sequence
from datetime import timedelta

from dcp_party import Party, main
from sqlalchemy import Connection

from entrepot.identity import Credential, CredentialForm, Kind
from entrepot.protocols.dcp import DCP_DELIVERY, ISSUER_PATH, Deliveries, Issuer
from entrepot.values import Did, UtcTime

DAY = timedelta(days=1)
KINDS = tuple(
    Kind(f"urn:entrepot:tck:{kind}:{form.value}", kind, form)
    for form in CredentialForm
    for kind in ("MembershipCredential", "SensitiveDataCredential")
)


async def serve(options: argparse.Namespace) -> None:
    party = Party("issuer", {"IssuerService": ISSUER_PATH}, options)

    def everybody(
        _connection: Connection, holder: Did, kinds: Sequence[Kind], now: UtcTime
    ) -> list[Credential]:
        return [
            Credential(
                kind.form, party.me, holder, (kind.type,), {"foo": "bar"}, now, now + timedelta(days=1)
            )
            for kind in kinds
            if kind.form is not None
        ]

    issuer = Issuer(
        journal=party.journal,
        me=party.me,
        base=party.base + ISSUER_PATH,
        signer=party.signer,
        kinds=KINDS,
        schemas={},
        decide=everybody,
        identify=party.acquaintance.identify,
        profile=party.profile,
        clock=party.clock,
    )

    def authorization(peer: Did, access_token: str) -> str:
        return f"Bearer {party.id_token(peer, access_token)}"

    deliveries = Deliveries(party.journal, party.outgoing, party.acquaintance.document, authorization)
    await party.serve(options.port, issuer.routes(), {DCP_DELIVERY: deliveries.send})


if __name__ == "__main__":
    main(__doc__, serve)
