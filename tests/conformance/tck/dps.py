"""The suite of Data Plane Signaling, both roles. No registry has a release of it; it is run from jars.

Nothing in its messages tells which flows are answered later or end by themselves: data set ids do.
"""

from collections.abc import Mapping

from role import Ports, Role

_TOLD = {
    **{f"DP_{side}_{way}_04_01_DATASETID": "async" for side in "CP" for way in ("PULL", "PUSH")},
    "DP_C_PULL_03_01_DATASETID": "finish",
    "DP_P_PUSH_03_01_DATASETID": "finish",
}
_SIDES = {"C": ("consumer", "providerId"), "P": ("provider", "consumerId")}
_FLOWS = ("01_01", "01_02", "02_01", "02_02", "03_01")


def _common(ports: Ports) -> Mapping[str, str]:
    return {
        "dataspacetck.launcher": "org.eclipse.dataspacetck.dps.system.DpsSystemLauncher",
        "dataspacetck.host": "127.0.0.1",
        "dataspacetck.port": str(ports.suite),
        "dataspacetck.callback.address": f"http://127.0.0.1:{ports.suite}",
        "dataspacetck.dps.default.wait": "7",
    }


def data_plane(ports: Ports) -> Mapping[str, str]:
    """The suite is our control plane."""
    ours = "dataspacetck.dps.dataplane"
    return {
        **_common(ports),
        f"{ours}.url": f"http://127.0.0.1:{ports.connector}",
        f"{ours}.authorization": "Bearer cp-token",
        f"{ours}.provider.id": "did:web:provider",
        f"{ours}.counterparty.id": "did:web:counterparty",
        **_TOLD,
    }


def control_plane(ports: Ports) -> Mapping[str, str]:
    """The suite is our data plane, and the other side's connector."""
    ours, here = "dataspacetck.dps.controlplane", f"http://127.0.0.1:{ports.connector}"
    return {
        **_common(ports),
        f"{ours}.webhook.url": f"{here}/tck/dps",
        f"{ours}.protocol.url": f"{here}/dsp/2025-1",
        f"{ours}.signaling.url": f"{here}/signaling",
        **{
            f"CP_{side}_{flow}_{key}": value
            for side, (name, peer) in _SIDES.items()
            for flow in _FLOWS
            for key, value in (("AGREEMENTID", f"tck-agreement-{name}"), ("TCKPARTICIPANTID", peer))
        },
    }


_PACKAGE = "org.eclipse.dataspacetck.dps.verification"
DATA_PLANE = Role(
    name="DPS data plane",
    tests=28,
    pom="",
    packages=(f"{_PACKAGE}.dataplane",),
    connector="dps_connector.py",
    arguments=(),
    ports=Ports(18282, 18103),
    properties=data_plane,
)
CONTROL_PLANE = Role(
    name="DPS control plane",
    tests=10,
    pom="",
    packages=(f"{_PACKAGE}.controlplane",),
    connector="dps_connector.py",
    arguments=(),
    ports=Ports(18282, 18103),
    properties=control_plane,
)
