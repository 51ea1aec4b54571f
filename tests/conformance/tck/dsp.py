"""The suite of the Dataspace Protocol: where we are, where it is, and which ids its tests use."""

from collections.abc import Mapping

from role import Ports, Role

_STEPS = {
    "CN": ("ACN", (4, 7, 4)),
    "CN_C": ("ACNC", (4, 6, 6)),
    "TP": ("ATP", (5, 5, 6)),
    "TP_C": ("ATPC", (5, 5, 6)),
}
"""For each group of tests: what its ids begin with, and how many tests its three parts have."""


def properties(ports: Ports) -> Mapping[str, str]:
    suite, ours = f"http://127.0.0.1:{ports.suite}", f"http://127.0.0.1:{ports.connector}"
    connector = "dataspacetck.dsp.connector"
    return {
        "dataspacetck.launcher": "org.eclipse.dataspacetck.dsp.system.DspSystemLauncher",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": str(ports.suite),
        "dataspacetck.callback.address": suite,
        "dataspacetck.dsp.local.connector": "false",
        "dataspacetck.dsp.default.wait": "7",
        f"{connector}.agent.id": "CONNECTOR_UNDER_TEST",
        f"{connector}.http.url": f"{ours}/dsp/2025-1",
        f"{connector}.http.base.url": f"{ours}/dsp",
        f"{connector}.http.headers.authorization": "Bearer tck-token",
        f"{connector}.negotiation.initiate.url": f"{ours}/tck/negotiations/requests",
        f"{connector}.transfer.initiate.url": f"{ours}/tck/transfers/requests",
        **{f"CAT_01_0{i}_DATASETID": f"CAT010{i}" for i in (1, 2, 3)},
        **{key: value for group in _STEPS for key, value in _ids(group).items()},
    }


def _ids(group: str) -> Mapping[str, str]:
    """The data set or agreement of every test of a group; the connector under test knows them by name."""
    prefix, parts = _STEPS[group]
    found = {}
    for part, tests in enumerate(parts, 1):
        for test in range(1, tests + 1):
            name, key = f"{prefix}0{part}0{test}", f"{group}_0{part}_0{test}"
            if group.startswith("TP"):
                found |= {f"{key}_AGREEMENTID": name, f"{key}_FORMAT": "HttpData-PULL"}
            else:
                found[f"{key}_DATASETID"] = name
            if group == "CN":
                found[f"{key}_OFFERID"] = f"CD123:{name}:456"
    return found


DSP = Role(
    name="DSP",
    tests=65,
    pom="dsp.xml",
    packages=("org.eclipse.dataspacetck.dsp.verification",),
    connector="dsp_connector.py",
    arguments=(),
    ports=Ports(18282, 18083),
    properties=properties,
)
