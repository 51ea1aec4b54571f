"""The command line's way to the node of a folder: its owner's port, with the owner's token.

It is light on purpose: a command that only asks a node starts in a moment.
"""

import http.client
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from entrepot.cli.output import NodeError
from entrepot.node.settings import OWNER_TOKEN, SETTINGS, Settings
from entrepot.values import EntrepotError, RefusedError, UnavailableError

SECONDS: Final = 60.0
PAGE: Final = 1_000


class OwnerClient:
    """Calls the owner's API of the node in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.read(folder / SETTINGS)
        self.patience = SECONDS
        """How many seconds an answer may take."""
        try:
            self._token = (folder / OWNER_TOKEN).read_text("utf-8").strip()
        except OSError as error:
            raise RefusedError(f"the owner's token of {folder} cannot be read") from error

    def get(self, path: str) -> Any:  # noqa: ANN401 (whatever JSON the node answers)
        return self._answer("GET", path, None)

    def every(
        self, path: str, name: str, most: int = 0, is_behind: Callable[[Any], bool] = lambda _row: False
    ) -> list[Any]:
        """The rows that are listed there, page after page: all, the newest, or up to one that is behind."""
        rows: list[Any] = []
        after: str | None = ""
        while after is not None and not (rows and is_behind(rows[-1])):
            size = min(most - len(rows), PAGE) if most else PAGE
            page = self.get(f"{path}?{urlencode({'after': after, 'limit': size})}")
            rows += page[name]
            after = None if most and len(rows) >= most else page["nextAfter"]
        return rows

    def post(self, path: str, body: Any = None) -> Any:  # noqa: ANN401 (JSON in, JSON out)
        return self._answer("POST", path, body)

    def put(self, path: str, body: Any) -> Any:  # noqa: ANN401 (JSON in, JSON out)
        return self._answer("PUT", path, body)

    def delete(self, path: str) -> None:
        self._call("DELETE", path, None)

    def raw(self, path: str) -> bytes:
        """Bytes as the node answers them."""
        return self._call("GET", path, None)

    def post_raw(self, path: str, body: Any) -> bytes:  # noqa: ANN401 (JSON in)
        return self._call("POST", path, body)

    def _answer(self, method: str, path: str, body: Any) -> Any:  # noqa: ANN401 (as above)
        reply = self._call(method, path, body)
        return json.loads(reply) if reply else None

    def _call(self, method: str, path: str, body: Any) -> bytes:  # noqa: ANN401 (as above)
        where = self.settings.listen.owner
        headers = {"authorization": f"Bearer {self._token}"}
        raw = None if body is None else json.dumps(body, ensure_ascii=False).encode()
        connection = http.client.HTTPConnection(where, timeout=self.patience)
        try:
            connection.request(method, path, raw, headers)
            reply = connection.getresponse()
            answered = reply.read()
        except (OSError, http.client.HTTPException) as error:
            raise UnavailableError(f"no node answers at {where}; `entrepot run` starts it") from error
        finally:
            connection.close()
        if reply.status >= 400:
            raise _refusal(reply.status, answered)
        return answered


def _refusal(status: int, body: bytes) -> EntrepotError:
    try:
        problem = json.loads(body)
        return NodeError(status, str(problem["detail"]), str(problem.get("remedy", "")))
    except (ValueError, KeyError, TypeError):
        return NodeError(status, f"the node answered {status}", "See the node's log.")


def is_terminal() -> bool:
    return sys.stderr.isatty()
