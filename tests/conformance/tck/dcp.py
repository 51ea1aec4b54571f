"""The suite of the Decentralized Claims Protocol: one role a party that our connector can be.

The suite plays the others. Its parties are `did:web:127.0.0.1%3A<port>:<name>`, and so are ours; documents
are fetched over plain HTTP.
"""

from collections.abc import Mapping

from role import Ports, Role

CLIENT = "suite"
SECRET = "a secret of the suite, long enough to be one"
_TESTS = "org.eclipse.dataspacetck.dcp.verification"


def did(port: int, name: str) -> str:
    return f"did:web:127.0.0.1%3A{port}:{name}"


def suite(ports: Ports) -> Mapping[str, str]:
    """What every role has to say of the suite itself."""
    return {
        "dataspacetck.launcher": "org.eclipse.dataspacetck.dcp.system.DcpSystemLauncher",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": str(ports.suite),
        "dataspacetck.callback.address": f"http://127.0.0.1:{ports.suite}",
    }


def verifier(ports: Ports) -> Mapping[str, str]:
    return {
        **suite(ports),
        "dataspacetck.did.verifier": did(ports.connector, "verifier"),
        "dataspacetck.vpp.trigger.endpoint": f"http://127.0.0.1:{ports.connector}/verifier/catalog/request",
    }


VERIFIER = Role(
    name="DCP verifier",
    tests=20,
    pom="dcp.xml",
    packages=(f"{_TESTS}.presentation.verifier",),
    connector="dcp_verifier.py",
    arguments=("--profile", "rc6"),
    ports=Ports(18300, 18093),
    properties=verifier,
)


def holder(ports: Ports) -> Mapping[str, str]:
    return {
        **suite(ports),
        "dataspacetck.did.holder": did(ports.connector, "holder"),
        "dataspacetck.sts.url": f"http://127.0.0.1:{ports.connector}/dcp/sts",
        "dataspacetck.sts.client.id": CLIENT,
        "dataspacetck.sts.client.secret": SECRET,
        "dataspacetck.credentials.correlation.id": "request-of-the-suite",
    }


def issuer(ports: Ports) -> Mapping[str, str]:
    return {**suite(ports), "dataspacetck.did.issuer": did(ports.connector, "issuer")}


HOLDER = Role(
    name="DCP credential service",
    tests=40,
    pom="dcp.xml",
    packages=(f"{_TESTS}.presentation.cs", f"{_TESTS}.issuance.cs"),
    connector="dcp_holder.py",
    arguments=("--profile", "rc6"),
    ports=Ports(18300, 18093),
    properties=holder,
)
ISSUER = Role(
    name="DCP issuer",
    tests=25,
    pom="dcp.xml",
    packages=(f"{_TESTS}.issuance.issuer",),
    connector="dcp_issuer.py",
    arguments=("--profile", "rc6"),
    ports=Ports(18300, 18093),
    properties=issuer,
)
