"""The verifier under test for the official suite of the Decentralized Claims Protocol.

The product's acquaintance with others, over real sockets. What belongs to the suite alone is said here: a
DID of its form, and a trigger that takes any message and answers once it is known who sent it.
"""

import argparse
import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvicorn
from dcp import did

from entrepot.identity import SUITES, KeyJob, Signer, read_did_document, write_did_document
from entrepot.journal import Journal
from entrepot.node.http import Application, Gatekeeper
from entrepot.node.outgoing import HttpClient
from entrepot.protocols import Call, Proof, Response, Route
from entrepot.protocols.dcp import INSECURE_RC6, STRICT, Acquaintance, Trust
from entrepot.values import Did, KeyId

PROFILES = {"strict": STRICT, "rc6": INSECURE_RC6}


async def serve(port: int, suite_port: int, profile: str, folder: Path) -> None:
    me = Did(did(port, "verifier"))
    signer = Signer(KeyId(f"{me}#identity"), "es256", SUITES["es256"].generate())
    services = {"CredentialService": f"http://127.0.0.1:{port}/dcp"}
    document = write_did_document(me, {KeyJob.IDENTITY: signer}, services)
    journal = Journal.open(f"sqlite:///{folder / 'connector.db'}")
    journal.create_schema()
    trust = Trust(
        me=me,
        platform=me,  # a node of no space: only the suite's issuer vouches for anybody
        status_max_age=timedelta(0),  # the same holder shows something else in each test
        allows_http=lambda _did: True,
        issuers=frozenset({Did(did(suite_port, "issuer"))}),
        profile=PROFILES[profile],
    )
    acquaintance = Acquaintance(
        journal,
        HttpClient(allow_private=[f"http://127.0.0.1:{suite_port}"], seconds=10),
        trust,
        signer,
        lambda: datetime.now(UTC),
        lambda _peer: "",
    )
    acquaintance.introduce(read_did_document(document, me))

    async def did_document(_call: Call) -> Response:
        return Response(200, document, "application/did+json")

    async def trigger(_call: Call) -> Response:
        return Response(200, b"{}")

    routes = [
        Route("GET", "/verifier/did.json", Proof.NONE, did_document),
        Route("POST", "/verifier/catalog/request", Proof.MEMBERSHIP, trigger),
    ]
    application = Application(routes, Gatekeeper(acquaintance.authenticate))
    config = uvicorn.Config(application, host="127.0.0.1", port=port, log_level="warning", access_log=False)
    await uvicorn.Server(config).serve()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=18300)
    parser.add_argument("--suite-port", type=int, default=18093)
    parser.add_argument("--profile", choices=PROFILES, default="strict")
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    asyncio.run(serve(options.port, options.suite_port, options.profile, options.folder))


if __name__ == "__main__":
    main()
