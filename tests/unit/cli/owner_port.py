"""The owner's port of a node that is not there: it answers as a test says."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from entrepot.cli.main import app
from entrepot.node.settings import OWNER_TOKEN, Listen, Party, Role, Settings, Space, write_settings
from entrepot.values import Did


@contextmanager
def answering(folder: Path, answer: Callable[[str, str, Any], Any]) -> Iterator[None]:
    """A node's folder whose owner's port gives what `answer` says to method, path and body."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", 0)))
            body = json.dumps(answer(self.command, self.path, json.loads(raw or b"null"))).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 (the server's own names)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (folder / OWNER_TOKEN).write_text("token")
    owner = f"127.0.0.1:{server.server_address[1]}"
    listen = Listen(public="127.0.0.1:1", owner=owner, url="http://127.0.0.1:1")
    space = Space(
        name="s", platform=Did("did:web:p"), platform_url="http://p", ledger_url="http://p/ledger",
        ledger_origin="o", ledger_key="k",
    )  # fmt: skip
    settings = Settings(
        did=Did("did:web:us"), roles=(Role.CONNECTOR,), listen=listen, space=space, party=Party(name="Us")
    )
    write_settings(settings, folder / "entrepot.toml")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


def run(folder: Path, *words: str) -> object:
    """One command at this node; its exit code."""
    return app([*words, "--node", str(folder)], result_action="return_value")
