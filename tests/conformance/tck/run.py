"""Run the official Dataspace Protocol suite against our connector and print what it says.

`make tck`. Needs Java 17 and Maven; the suite is fetched into `build/tck` and kept there. Ends 0 when the
suite ran, whatever it found: the findings are printed, test by test.
"""

import shutil
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build" / "tck"
PORT, SUITE_PORT = 18282, 18083
TESTS = 65
NUMBERS = {
    "CN": (
        "ACN",
        "DATASETID",
        [
            "01_01",
            "01_02",
            "01_03",
            "01_04",
            *(f"02_0{i}" for i in range(1, 8)),
            *(f"03_0{i}" for i in range(1, 5)),
        ],
    ),
    "CN_C": (
        "ACNC",
        "DATASETID",
        [
            "01_01",
            "01_02",
            "01_03",
            "01_04",
            *(f"02_0{i}" for i in range(1, 7)),
            *(f"03_0{i}" for i in range(1, 7)),
        ],
    ),
    "TP": (
        "ATP",
        "AGREEMENTID",
        [
            *(f"01_0{i}" for i in range(1, 6)),
            *(f"02_0{i}" for i in range(1, 6)),
            *(f"03_0{i}" for i in range(1, 7)),
        ],
    ),
}
NUMBERS["TP_C"] = ("ATPC", "AGREEMENTID", NUMBERS["TP"][2])


def properties() -> str:
    """The suite's settings: where we are, where it is, and which ids its tests use."""
    lines = [
        "dataspacetck.launcher=org.eclipse.dataspacetck.dsp.system.DspSystemLauncher",
        "dataspacetck.host=127.0.0.1",
        f"dataspacetck.port={SUITE_PORT}",
        f"dataspacetck.callback.address=http://127.0.0.1:{SUITE_PORT}",
        "dataspacetck.dsp.local.connector=false",
        "dataspacetck.dsp.connector.agent.id=CONNECTOR_UNDER_TEST",
        f"dataspacetck.dsp.connector.http.url=http://127.0.0.1:{PORT}/dsp/2025-1",
        f"dataspacetck.dsp.connector.http.base.url=http://127.0.0.1:{PORT}/dsp",
        "dataspacetck.dsp.connector.http.headers.authorization=Bearer tck-token",
        f"dataspacetck.dsp.connector.negotiation.initiate.url=http://127.0.0.1:{PORT}/tck/negotiations/requests",
        f"dataspacetck.dsp.connector.transfer.initiate.url=http://127.0.0.1:{PORT}/tck/transfers/requests",
        "dataspacetck.dsp.default.wait=7",
        "CAT_01_01_DATASETID=CAT0101",
        "CAT_01_02_DATASETID=CAT0102",
        "CAT_01_03_DATASETID=CAT0103",
    ]
    for group, (prefix, field, numbers) in NUMBERS.items():
        for number in numbers:
            name = prefix + number.replace("_", "")
            lines.append(f"{group}_{number}_{field}={name}")
            if group == "CN":
                lines.append(f"{group}_{number}_OFFERID=CD123:{name}:456")
            if group.startswith("TP"):
                lines.append(f"{group}_{number}_FORMAT=HttpData-PULL")
    return "\n".join(lines) + "\n"


def fetch() -> Path:
    """Fetch the suite; a download that broke off leaves nothing behind that looks whole."""
    jars, coming = BUILD / "lib", BUILD / "lib.coming"
    if not jars.is_dir():
        print("Fetching the suite (about 21 MB)")
        shutil.rmtree(coming, ignore_errors=True)
        subprocess.run(
            ["mvn", "-B", "-q", "-f", HERE / "pom.xml", "dependency:copy-dependencies",
             f"-DoutputDirectory={coming}", "-DincludeScope=runtime"],
            check=True,
        )  # fmt: skip
        coming.rename(jars)
    return jars


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until the connector accepts connections."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if process.poll() is not None:
            sys.exit("the connector under test ended before the suite began")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    sys.exit("the connector under test did not start")


def main() -> None:
    if shutil.which("mvn") is None or shutil.which("java") is None:
        sys.exit("Java 17 and Maven are needed: apt-get install openjdk-17-jre-headless maven")
    jars = fetch()
    BUILD.joinpath("tck.properties").write_text(properties())
    work, reports = BUILD / "work", BUILD / "reports"
    for old in (work, reports):
        shutil.rmtree(old, ignore_errors=True)
    work.mkdir(parents=True)
    log = (BUILD / "connector.log").open("wb")
    connector = subprocess.Popen(
        [sys.executable, HERE / "connector.py", "--port", str(PORT), work], stdout=log, stderr=log
    )
    try:
        wait_for(PORT, connector)
        only = ["--select-package", "org.eclipse.dataspacetck.dsp.verification"]
        suite = subprocess.run(
            ["java", "-Xmx256m", "-cp", f"{jars}/*:{BUILD}", "org.junit.platform.console.ConsoleLauncher",
             "execute", "--disable-banner", "--disable-ansi-colors", "--details", "tree",
             "--config-resource", "tck.properties", *only, "--include-classname", ".*Test",
             "--fail-if-no-tests", "--reports-dir", reports, *sys.argv[1:]],
            stdout=(BUILD / "suite.log").open("wb"), stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
    finally:
        connector.terminate()
        connector.wait(10)
    if suite.returncode not in {0, 1}:
        sys.exit(f"the suite did not run; see {BUILD / 'suite.log'}")
    report(reports / "TEST-junit-jupiter.xml")


def report(path: Path) -> None:
    """Print every test with its verdict, then the sum."""
    passed = failed = skipped = 0
    for case in sorted(ET.parse(path).getroot().iter("testcase"), key=_name):  # noqa: S314 (our own run wrote it)
        problem = next((c for c in case if c.tag in {"failure", "error"}), None)
        if problem is not None:
            failed += 1
            print(f"failed   {_name(case)}: {(problem.get('message') or '').splitlines()[0][:150]}")
        elif case.find("skipped") is not None:
            skipped += 1
            print(f"skipped  {_name(case)} (by the suite)")
        else:
            passed += 1
            print(f"passed   {_name(case)}")
    print(f"\nThe suite ran {passed + failed} tests of {TESTS}:", end=" ")
    print(f"{passed} passed, {failed} failed, {skipped} skipped by the suite itself")


def _name(case: ET.Element) -> str:
    for line in (case.findtext("system-out") or "").splitlines():
        if "display-name:" in line:
            return line.partition("display-name:")[2].strip()
    return case.get("name", "")


if __name__ == "__main__":
    main()
