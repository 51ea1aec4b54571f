"""The verifier under test for the official suite of the Decentralized Claims Protocol.

The product's acquaintance with others, over real sockets. What belongs to the suite alone is a trigger that
takes any message and answers once it is known who sent it.
"""

import argparse

from dcp_party import Party, main

from entrepot.protocols import Call, Proof, Response, Route


async def serve(options: argparse.Namespace) -> None:
    party = Party("verifier", {"CredentialService": "/dcp"}, options)

    async def trigger(_call: Call) -> Response:
        return Response(200, b"{}")

    routes = [Route("POST", "/verifier/catalog/request", Proof.MEMBERSHIP, trigger)]
    await party.serve(options.port, routes, {})


if __name__ == "__main__":
    main(__doc__, serve)
