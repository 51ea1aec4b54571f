"""Claim: delivering a file over TLS costs at most 1.25 times what nginx and one digest of the bytes cost.

Ours is a provider's real connector process in a space of three that speaks TLS: one file delivered over
loopback through gate, door and journal, to a client that only verifies the certificate and reads, and then
to the real consumer, which writes, syncs and verifies it. Before, the file was attached, which digests it
once; both prices are shown, delivery alone and with that digest. Of the client nothing is counted.

The rival is nginx, started on loopback with a configuration of its own and the same certificate, which
sends the same file to the same client in the same cipher suite, and one SHA-256 of the file by OpenSSL. All
take turns. `--without-tls` measures both without it; nginx then uses `sendfile`.

    python bench/delivery.py [--gigabytes 1] [--rounds 3] [--without-tls] [--folder FOLDER]

On disk it takes twice the size of the file.
"""

import argparse
import contextlib
import hashlib
import os
import shutil
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from machine import described

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/space"))

from certificates import Certificates, make_certificates
from doors import Doors, connected

from space import Space, connects, found_space, free_ports, wait_for

GOAL = 1.25
RIVALS, OURS = ("nginx", "digest"), ("attached", "plain", "consumer")
GB = 1_000_000_000
BLOCK = 1 << 20
CONFIGURATION = """
worker_processes 1;
master_process off;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  sendfile on;
  tcp_nopush on;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{ listen 127.0.0.1:{port}{tls} location / {{ root {root}; }} }}
}}
"""


suites: set[str] = set()
"""What was spoken; one for both, or the comparison is none."""


def suite_of(connection: socket.socket) -> str:
    return (connection.cipher() or ("",))[0] if isinstance(connection, ssl.SSLSocket) else "no TLS"


def core_seconds(pid: int) -> float:
    """CPU time of a process with all its threads, in nanoseconds' resolution (clock_getcpuclockid)."""
    return time.clock_gettime((~pid << 3) | 2)


def write_file(path: Path, size: int) -> None:
    """Bytes that no compression or sparse file makes smaller."""
    with path.open("wb") as file:
        for start in range(0, size, BLOCK):
            file.write(os.urandom(min(BLOCK, size - start)))
        file.flush()
        os.fsync(file.fileno())


def drain(connection: socket.socket, size: int) -> None:
    """Read an answer with a body of `size` bytes, and nothing of it kept."""
    head = b""
    while b"\r\n\r\n" not in head:
        head += connection.recv(BLOCK)
    assert head.startswith(b"HTTP/1.1 200"), head[:200]
    read = len(head.partition(b"\r\n\r\n")[2])
    buffer = bytearray(BLOCK)
    while read < size:
        more = connection.recv_into(buffer)
        assert more, f"the answer ended after {read} of {size} bytes"
        read += more


@contextlib.contextmanager
def nginx(folder: Path, root: Path, tls: Certificates | None) -> Iterator[tuple[int, int]]:
    """An nginx of our own; gives its process and its port."""
    speaks = (
        f" ssl; ssl_protocols TLSv1.3; ssl_certificate {tls.certificate}; ssl_certificate_key {tls.key};"
        if tls
        else ";"
    )
    (port,) = free_ports(1)
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, port=port, root=root, tls=speaks))
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    if program is None:
        sys.exit("nginx, the rival, is missing: `make bench` installs it, or apt-get install nginx")
    with subprocess.Popen([program, "-c", configuration, "-e", folder / "error.log"]) as process:
        try:
            wait_for("nginx", lambda: connects(f"127.0.0.1:{port}"))
            yield process.pid, port
        finally:
            process.terminate()


def rival(pid: int, port: int, path: Path, tls: Certificates | None) -> tuple[float, float]:
    """Core-seconds of nginx for one delivery, and of one digest."""
    before = core_seconds(pid)
    with connected(("127.0.0.1", port), tls.authority if tls else None) as connection:
        suites.add(suite_of(connection))
        connection.sendall(f"GET /{path.name} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
        drain(connection, path.stat().st_size)
    sent = core_seconds(pid) - before
    began = time.thread_time()
    with path.open("rb") as file:
        hashlib.file_digest(file, "sha256")
    return sent, time.thread_time() - began


def ours(space: Space, doors: Doors, product: str, agreement: str, path: Path) -> tuple[float, float, float]:
    """Core-seconds of the provider: attaching the file, delivering to a plain client and to the consumer."""
    provider, size = space.provider, path.stat().st_size
    before = core_seconds(provider.pid)
    provider.ask("POST", "/owner/resources", {"path": str(path)})
    attached = core_seconds(provider.pid) - before
    with doors.alone_at(product, agreement) as door:
        before = core_seconds(provider.pid)
        with door.knock() as connection:
            suites.add(suite_of(connection))
            drain(connection, size)
            process_id = door.path.rpartition("/")[2]
            told = "SELECT 1 FROM use WHERE process_id = ? AND sent = ?"
            wait_for("its last commit", lambda: provider.rows(told, process_id, size), pause=0.01)
        plain = core_seconds(provider.pid) - before
        before = core_seconds(provider.pid)
    door.acquiring.received(3600)
    whole = core_seconds(provider.pid) - before
    door.acquiring.target.unlink()
    return attached, plain, whole


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the file; 10 is the large one")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--without-tls", action="store_true")
    parser.add_argument("--folder", type=Path, help="where the files lie while measuring")
    options = parser.parse_args()
    print(described())
    size = int(options.gigabytes * GB)
    found: dict[str, list[float]] = {name: [] for name in (*RIVALS, *OURS)}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.folder))).resolve()
        path = folder / "large.bin"
        write_file(path, size)
        (folder / "nginx").mkdir()
        tls = None if options.without_tls else make_certificates(folder)
        server = stack.enter_context(nginx(folder / "nginx", folder, tls))
        space = found_space(folder / "space", tls=tls)
        stack.callback(space.stop)
        provider, doors = space.provider, Doors(space)
        product = space.offer(path, uses=1000)
        agreement = space.begin(product).received(3600).agreement
        idle = provider.begin_measuring()
        for _ in range(options.rounds):
            for names, round_ in (
                (RIVALS, rival(*server, path, tls)),
                (OURS, ours(space, doors, product, agreement, path)),
            ):
                for name, spent in zip(names, round_, strict=True):
                    found[name].append(spent * GB / size)
        peak = provider.memory()[1]
    return tell(size, found, idle, peak)


def tell(size: int, found: dict[str, list[float]], idle: int, peak: int) -> int:
    middle = {name: statistics.median(each) for name, each in found.items()}
    said = {
        "nginx": "nginx",
        "digest": "one SHA-256 of the file",
        "attached": "ours, attaching it (once)",
        "plain": "ours, to a client that reads",
        "consumer": "ours, to the consumer",
    }
    (suite,) = suites
    print(f"input: {size:,} bytes in one file, {suite}; core-seconds a gigabyte of the servers, median")
    for name, words in said.items():
        print(f"  {words:28} {middle[name]:6.3f}   {min(found[name]):.3f} to {max(found[name]):.3f}")
    theirs, ratio = middle["nginx"] + middle["digest"], 0.0
    for words, cost in (
        ("delivery", middle["plain"]),
        ("attaching and delivery", middle["attached"] + middle["plain"]),
    ):
        ratio = cost / theirs
        print(f"  {words}: {cost:.3f} to {theirs:.3f} of nginx and a digest, ratio {ratio:.2f}")
    print(f"  goal {GOAL}: {'reached' if ratio <= GOAL else 'missed'}")
    print(f"  memory of our process: {idle >> 20} MB before, {peak >> 20} MB at most (VmHWM)")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())
