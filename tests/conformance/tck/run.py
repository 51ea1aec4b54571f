"""Run the official suites against our connector and print what they say.

`make tck`. Needs Java 17 and Maven; the suites are fetched into `build/tck` and kept there. Prints every
test, and at the end one line a suite and role. Ends with 0 only where every role passed with as many tests
as its suite has; with 77 where a suite could not be had here, which says nothing of the product.
"""

import argparse
import fcntl
import re
import shutil
import socket
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dcp import HOLDER, ISSUER, VERIFIER
from dps import CONTROL_PLANE, DATA_PLANE
from dsp import DSP
from role import Ports, Role

ROLES = {role.name: role for role in (DSP, VERIFIER, HOLDER, ISSUER, DATA_PLANE, CONTROL_PLANE)}
HERE = Path(__file__).parent
BUILD = HERE.parents[2] / "build" / "tck"
NOT_HERE = 77


class NotHereError(Exception):
    """What a suite needs cannot be had on this machine."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What a suite found."""

    role: Role
    passed: int
    failed: int
    wanted: int | None
    """How many tests there are in this release, where that is known."""

    @property
    def holds(self) -> bool:
        enough = self.passed == self.wanted if self.wanted is not None else self.passed > 0
        return enough and self.failed == 0

    def __str__(self) -> str:
        line = f"{self.role.name} {self.passed} passed, {self.failed} failed"
        known = self.wanted is None or self.passed + self.failed == self.wanted
        return line if known else f"{line} (of {self.wanted} tests)"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--suite", action="append", choices=ROLES, help="only this one; may be repeated")
    parser.add_argument(
        "--jars", type=Path, metavar="DIR",
        help="run another release of the suite named by --suite, whose jars lie here,\n"
        "by its own runtime and against the strict profile; needs a JDK",
    )  # fmt: skip
    parser.add_argument("--settings", action="store_true", help="print the suite's settings and end")
    options = parser.parse_args()
    if options.jars and not options.suite:
        parser.error("--jars is of one suite: say which, with --suite")
    wanted = [ROLES[name] for name in options.suite or ROLES if options.suite or ROLES[name].pom]
    if options.settings:
        print("\n".join(settings(role, role.ports) for role in wanted))
        return 0
    try:
        with alone():
            found = [run(role, options.jars) for role in wanted]
    except NotHereError as reason:
        print(f"skipped: {', '.join(role.name for role in wanted)}: {reason}")
        return NOT_HERE
    print("", *found, sep="\n")
    return 0 if all(tally.holds for tally in found) else 1


@contextmanager
def alone() -> Iterator[None]:
    """Two suites at once would slow each other down until answers come too late."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def run(role: Role, other: Path | None) -> Tally:
    """Start the connector under test, let the suite at it, and count."""
    if shutil.which("java") is None:
        raise NotHereError("there is no Java 17: apt-get install openjdk-17-jre-headless")
    if other is None and not role.pom:
        raise NotHereError("no registry has this suite; say with --jars where its jars lie")
    jars = other or fetch(role.pom)
    folder = BUILD / "runs" / role.name.replace(" ", "-").lower()
    shutil.rmtree(folder, ignore_errors=True)
    work = folder / "work"
    work.mkdir(parents=True)
    ports = Ports(*free_ports(2))
    folder.joinpath("tck.properties").write_text(settings(role, ports))
    print(f"\n{role.name}", flush=True)
    with connector(role, ports, folder, () if other else role.arguments):
        return by_runtime(role, jars, folder) if other else by_console(role, jars, folder)


def settings(role: Role, ports: Ports) -> str:
    """The suite's settings file."""
    return "".join(f"{key}={value}\n" for key, value in role.properties(ports).items())


def fetch(pom: str) -> Path:
    """Fetch a suite; a download that broke off leaves nothing behind that looks whole."""
    jars = BUILD / "jars" / Path(pom).stem
    coming = jars.with_suffix(".coming")
    if not jars.is_dir():
        if shutil.which("mvn") is None:
            raise NotHereError("there is no Maven to fetch the suite: apt-get install maven")
        print(f"Fetching the suite that {pom} names (20 to 40 MB)", flush=True)
        shutil.rmtree(coming, ignore_errors=True)
        copied = subprocess.run(
            ["mvn", "-B", "-q", "-f", HERE / pom, "dependency:copy-dependencies",
             f"-DoutputDirectory={coming}", "-DincludeScope=runtime"],
            check=False,
        )  # fmt: skip
        if copied.returncode != 0:
            raise NotHereError("Maven could not fetch the suite; what it said stands above")
        coming.rename(jars)
    return jars


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on, all different."""
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    found = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return found


@contextmanager
def connector(role: Role, ports: Ports, folder: Path, arguments: tuple[str, ...]) -> Iterator[None]:
    """The connector under test, as a process of its own."""
    log = folder / "connector.log"
    process = subprocess.Popen(
        [sys.executable, HERE / role.connector, "--port", str(ports.connector),
         "--suite-port", str(ports.suite), *arguments, folder / "work"],
        stdout=log.open("wb"), stderr=subprocess.STDOUT,
    )  # fmt: skip
    try:
        wait_for(ports.connector, process, log)
        yield
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until the connector accepts connections."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.05)
    sys.exit(f"the connector under test did not start; see {log}")


def by_console(role: Role, jars: Path, folder: Path) -> Tally:
    """Run the suite by JUnit's console and read its report, test by test."""
    reports = folder / "reports"
    packages = [word for package in role.packages for word in ("--select-package", package)]
    java(
        folder, f"{jars}/*:{folder}", "org.junit.platform.console.ConsoleLauncher", "execute",
        "--disable-banner", "--disable-ansi-colors", "--details", "tree",
        "--config-resource", "tck.properties", *packages, "--include-classname", ".*Test",
        "--fail-if-no-tests", "--reports-dir", str(reports),
    )  # fmt: skip
    passed = failed = 0
    report = ET.parse(reports / "TEST-junit-jupiter.xml")  # noqa: S314 (our own run wrote it)
    for case in sorted(report.getroot().iter("testcase"), key=name_of):
        problem = next((c for c in case if c.tag in {"failure", "error"}), None)
        if problem is not None:
            failed += 1
            said = (problem.get("message") or problem.get("type") or "").partition("\n")[0]
            print(f"failed   {name_of(case)}: {said[:150]}")
        elif case.find("skipped") is not None:
            print(f"skipped  {name_of(case)} (by the suite)")
        else:
            passed += 1
            print(f"passed   {name_of(case)}")
    return Tally(role, passed, failed, role.tests)


def by_runtime(role: Role, jars: Path, folder: Path) -> Tally:
    """Run the suite by its own runtime, as later releases want it, and read its last line."""
    said = java(folder, f"{jars}/*", str(HERE / "Suite.java"), str(folder / "tck.properties"), *role.packages)
    for line in said.splitlines():
        if re.match(r"failed  |\[.*\] (SUCCESSFUL|FAILED)", line):
            print(line[:250])
    found = re.search(r"^(\d+) passed, (\d+) failed$", said, re.MULTILINE)
    if found is None:
        sys.exit(f"the suite did not run; see {folder / 'suite.log'}")
    return Tally(role, int(found[1]), int(found[2]), None)


def java(folder: Path, classpath: str, *words: str) -> str:
    """Run Java to its end and give what it said; 1 is the status of a test that failed."""
    log = folder / "suite.log"
    with log.open("wb") as out:
        command = ["java", "-Xmx256m", "-cp", classpath, *words]
        ended = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, check=False)
    if ended.returncode not in {0, 1}:
        sys.exit(f"the suite did not run; see {log}")
    return log.read_text(errors="replace")


def name_of(case: ET.Element) -> str:
    """What the suite calls a test, with its number."""
    for line in (case.findtext("system-out") or "").splitlines():
        if "display-name:" in line:
            return line.partition("display-name:")[2].strip()
    return case.get("name", "")


if __name__ == "__main__":
    sys.exit(main())
