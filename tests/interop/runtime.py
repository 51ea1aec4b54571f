"""Software of Eclipse's dataspace components as a process of its own, and calls to it.

**It listens on every interface of the machine** (no setting for it was found), so a runtime is started for as
long as a test or a measurement needs it and no longer.
"""

import http.client
import os
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jars import Mixture, classpath

FRUGAL: Final = ("-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")
"""Options of a runtime that shares a small machine with others; none for one that is measured."""
_TICKS: Final = os.sysconf("SC_CLK_TCK")
_idle: Final[dict[int, list[http.client.HTTPConnection]]] = defaultdict(list)
"""Connections that nobody uses at the moment, by port; each list is used by many threads."""


@dataclass(eq=False)
class Runtime:
    """One process; over with `stop`."""

    id: str
    """Its participant id."""
    folder: Path
    mixture: Mixture
    ports: Mapping[str, int]
    settings: Mapping[str, str]
    process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def log(self) -> Path:
        return self.folder / "edc.log"

    def start(self, options: Sequence[str] = FRUGAL) -> None:
        """Start the process."""
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self.folder / "edc.properties"
        properties.write_text("".join(f"{key}={value}\n" for key, value in self.settings.items()))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["java", *options, f"-Dedc.fs.config={properties}", "-cp", classpath(self.mixture),
                 "org.eclipse.edc.boot.system.runtime.BaseRuntime"],
                stdout=log, stderr=log,
            )  # fmt: skip

    def must_run(self) -> None:
        """Fail, and say why, where the process has ended by itself."""
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError(f"a runtime ended at its start:\n{self.log.read_text()[-3000:]}")

    def stop(self) -> None:
        """End the process and wait for its end; its ports are free then."""
        hang_up(self.ports.values())
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def cpu_seconds(self) -> float:
        """What the process has used so far, in user and system mode."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(") ")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


def call(
    method: str, port: int, path: str, body: str | None = None, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """One call to a port of this machine over a kept connection; gives status and text."""
    for last in (False, True):
        link = _idle[port].pop() if _idle[port] and not last else _link(port)
        try:
            link.request(method, path, body, {"content-type": "application/json", **(headers or {})})
            reply = link.getresponse()
            said = reply.read().decode()
        except (http.client.HTTPException, OSError):
            link.close()
            if last:
                raise
        else:
            _idle[port].append(link)
            return reply.status, said
    raise AssertionError("unreachable")


def resident_bytes(pid: int) -> int:
    """How much of a process lies in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) << 10


def hang_up(ports: Iterable[int]) -> None:
    """Close the connections that were kept to these ports."""
    for port in ports:
        while _idle[port]:
            _idle[port].pop().close()


def _link(port: int) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", port, timeout=120)
