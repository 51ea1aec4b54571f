"""What the story stands on: organisations as processes, commands as a newcomer would type them."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from entrepot.values import is_social_credit_code

PASSPHRASE = "this passphrase is for a demonstration on one machine"
STATUS_MAX_AGE = 5
BIN = Path(sys.executable).parent / "entrepot"


class BrokenPromiseError(Exception):
    """A step did not do as promised."""


@dataclass
class Organisation:
    """One of the six: its folder, its ports, its process."""

    key: str
    name: str
    role: str
    seats: tuple[str, ...]
    """The roles that it is invited for."""
    code: str
    folder: Path
    public: str
    owner: str
    did: str = ""
    process: subprocess.Popen[bytes] | None = None

    def launch(self) -> None:
        log = (self.folder / "log.jsonl").open("ab")
        self.process = subprocess.Popen(
            [BIN, "run", "--node", self.folder], env=environment(), stdout=log, stderr=log
        )

    def start(self) -> None:
        self.launch()
        self.await_up()

    def await_up(self) -> None:
        wait_until(f"{self.name} listens", self.listens)

    def listens(self) -> bool:
        if self.process is not None and self.process.poll() is not None:
            raise BrokenPromiseError(f"{self.name} ended at its start; see {self.folder / 'log.jsonl'}")
        return connects(self.public) and connects(self.owner)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    @contextlib.contextmanager
    def held_still(self) -> Iterator[None]:
        """Let it read nothing for a while, as a slow reader would."""
        if self.process is None:
            raise BrokenPromiseError(f"{self.name} does not run")
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def unread_streams(self) -> int:
        """How many connections to our public port hold bytes that their reader has not taken yet."""
        port = int(self.public.rpartition(":")[2])
        return sum(1 for local, unread in established() if local == port and unread)


class Running:
    """A command that goes on while others are given."""

    def __init__(self, *words: object, node: Organisation) -> None:
        command = [str(BIN), *map(str, words), "--node", str(node.folder), "--json"]
        self._process = subprocess.Popen(
            command, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )

    def finish(self) -> tuple[int, Any]:
        said, _ = self._process.communicate(timeout=60)
        return self._process.returncode, json.loads(said or "{}")

    def answer(self) -> Any:
        code, said = self.finish()
        if code != 0:
            raise BrokenPromiseError(f"a command ended {code}: {said}")
        return said


def cast_of(root: Path) -> dict[str, Organisation]:
    """Who takes part. Their codes have the right form and belong to nobody."""
    people = (
        ("operator", "Harbour Data Space", "operator", ("operator",), "91310000MA1FL0"),
        ("regulator", "Data Bureau", "observer", ("regulator",), "11310000MB2F30"),
        ("office", "Weather Office", "connector", ("provider",), "12310000425001"),
        ("institute", "Vehicle Test Institute", "connector", ("provider", "service"), "12310000425006"),
        ("hospital", "City Hospital", "connector", ("provider",), "12310000425009"),
        ("company", "Research Company", "connector", ("consumer",), "91310115MA1K4B"),
    )
    ports = free_ports(2 * len(people))
    return {
        key: Organisation(
            key, name, role, seats, social_credit_code(stem), root / key,
            f"127.0.0.1:{ports[2 * i]}", f"127.0.0.1:{ports[2 * i + 1]}",
        )
        for i, (key, name, role, seats, stem) in enumerate(people)
    }  # fmt: skip


def keep(who: dict[str, Organisation], root: Path) -> None:
    """Leave everything running until a person ends it."""
    print("\nEverything keeps running; Ctrl-C ends it. ENTREPOT_PASSPHRASE is set to the demo's passphrase.")
    for organisation in who.values():
        token = organisation.folder / "owner.token"
        print(f"  {organisation.name}: http://{organisation.public}")
        print(f"      console http://{organisation.owner}/ (sign in with {token})")
    print("Things to try:")
    print(f"  {BIN} member list --node {root / 'operator'}")
    print(f"  {BIN} uses --node {root / 'institute'}")
    print(f"  {BIN} contract list --node {root / 'company'}")
    print(f"  {BIN} register list --node {root / 'regulator'}")
    print(f"  {BIN} ledger audit --node {root / 'regulator'}")
    with contextlib.suppress(KeyboardInterrupt):
        signal.pause()


def stand_alone(root: Path, package: Path, policy: Path) -> tuple[int, list[str]]:
    """Verify with one copied file, in a Python that knows nothing of Entrepot."""
    from entrepot.oversight import verify

    verifier = root / "verify.py"
    shutil.copy(verify.__file__, verifier)
    command = [sys.executable, "-I", verifier, package, "--policy", policy]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout.strip().splitlines()


def established() -> list[tuple[int, int]]:
    """Connections on loopback that are up: local port, and bytes sent that were not acknowledged."""
    found = []
    for line in Path("/proc/self/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, queues, *_ = line.split()
        if state == "01":
            found.append((int(local.rpartition(":")[2], 16), int(queues.partition(":")[0], 16)))
    return found


def init(organisation: Organisation, *more: object) -> dict[str, Any]:
    made = entrepot(
        "init", organisation.folder, "--role", organisation.role, "--name", organisation.name,
        "--code", organisation.code, "--listen", organisation.public, "--owner", organisation.owner,
        "--region", "3101", *more,
    )  # fmt: skip
    organisation.did = made["did"]
    return made


def entrepot(*words: object, node: Organisation | None = None) -> Any:
    """Run one command and give its JSON; a command that fails breaks the promise."""
    code, answer = call(*words, node=node)
    if code != 0:
        raise BrokenPromiseError(f"entrepot {' '.join(map(str, words))} ended {code}: {answer}")
    return answer


def call(*words: object, node: Organisation | None = None) -> tuple[int, Any]:
    where = ["--node", str(node.folder)] if node is not None else []
    command = [str(BIN), *map(str, words), *where, "--json"]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"problem": (done.stdout + done.stderr)[-500:]}


def environment() -> dict[str, str]:
    return {**os.environ, "ENTREPOT_PASSPHRASE": PASSPHRASE}


def wait_until(what: str, holds: Callable[[], bool], seconds: float = 90, pause: float = 0.1) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            raise BrokenPromiseError(f"waited {seconds:.0f} s in vain for: {what}")
        time.sleep(pause)


def is_over(time_text: str) -> bool:
    return datetime.now(UTC) > datetime.fromisoformat(time_text)


def seconds_until(time_text: str) -> float:
    return (datetime.fromisoformat(time_text) - datetime.now(UTC)).total_seconds()


def connects(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@contextlib.contextmanager
def edited(organisation: Organisation) -> Iterator[dict[str, Any]]:
    """Edit a settings file through the product's own reader and writer."""
    import msgspec

    from entrepot.node.settings import SETTINGS, Settings, write_settings

    path = organisation.folder / SETTINGS
    plain = msgspec.to_builtins(Settings.read(path))
    yield plain
    write_settings(msgspec.convert(plain, Settings), path)


def share_space(operator: Organisation, member: Organisation) -> None:
    """The invitations were written before the witness was named: everybody joins the space as it is now."""
    with edited(operator) as theirs:
        space = theirs["space"]
    with edited(member) as settings:
        settings["space"] = space


def adjust(organisation: Organisation, everybody: list[Organisation]) -> None:
    """Quick status lists, and calls to the others on loopback, which are refused otherwise."""
    with edited(organisation) as settings:
        settings["status"] = {"max_age": float(STATUS_MAX_AGE), "resign": 1.0, "poll": 1.0}
        settings["outgoing"]["allow_private"] = [f"http://{o.public}" for o in everybody]


def change_one_byte(database: Path) -> int:
    """Change one byte of an early transaction in the ledger's file, as somebody with its disk could."""
    with contextlib.closing(sqlite3.connect(database)) as connection:
        number, body = connection.execute(
            "SELECT number, body FROM entry ORDER BY number LIMIT 1 OFFSET 2"
        ).fetchone()
        forged = bytearray(body)
        forged[len(forged) // 2] ^= 1
        connection.execute("UPDATE entry SET body = ? WHERE number = ?", (bytes(forged), number))
        connection.commit()
    return int(number)


def standing(operator: Organisation) -> dict[str, Any]:
    with urllib.request.urlopen(f"http://{operator.public}/ledger/standing", timeout=5) as reply:
        return json.loads(reply.read())


def is_witnessed(operator: Organisation) -> bool:
    now = standing(operator)
    return bool(now["witnessed"] == now["size"])


def social_credit_code(stem: str) -> str:
    """A code of the right form that belongs to nobody: the stem, filled up, with its check character."""
    body = (stem + "0000000000")[:17]
    return next(body + c for c in "0123456789ABCDEFGHJKLMNPQRTUWXY" if is_social_credit_code(body + c))


def free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
