"""The command line's way to the node of a folder: its owner's port, with the owner's token."""

import sys
from pathlib import Path
from typing import Any, Final

import httpx2

from entrepot.cli.output import NodeError
from entrepot.node.making import SETTINGS
from entrepot.node.node import OWNER_TOKEN
from entrepot.node.settings import Settings
from entrepot.values import EntrepotError, RefusedError, UnavailableError

SECONDS: Final = 60.0


class OwnerClient:
    """Calls the owner's API of the node in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings = Settings.read(folder / SETTINGS)
        try:
            token = (folder / OWNER_TOKEN).read_text("utf-8").strip()
        except OSError as error:
            raise RefusedError(f"the owner's token of {folder} cannot be read") from error
        self._client = httpx2.Client(
            base_url=f"http://{self.settings.listen.owner}",
            headers={"authorization": f"Bearer {token}"},
            timeout=SECONDS,
            trust_env=False,
        )

    def get(self, path: str) -> Any:  # noqa: ANN401 (whatever JSON the node answers)
        return self._answer("GET", path, None)

    def post(self, path: str, body: Any = None, seconds: float = SECONDS) -> Any:  # noqa: ANN401 (JSON in, JSON out)
        return self._answer("POST", path, body, seconds)

    def raw(self, path: str) -> bytes:
        """Bytes as the node answers them."""
        return self._call("GET", path, None).content

    def post_raw(self, path: str, body: Any) -> bytes:  # noqa: ANN401 (JSON in)
        return self._call("POST", path, body).content

    def _answer(self, method: str, path: str, body: Any, seconds: float = SECONDS) -> Any:  # noqa: ANN401 (as above)
        reply = self._call(method, path, body, seconds)
        return reply.json() if reply.content else None

    def _call(
        self,
        method: str,
        path: str,
        body: Any,  # noqa: ANN401 (as above)
        seconds: float = SECONDS,
    ) -> httpx2.Response:
        try:
            reply = self._client.request(method, path, json=body, timeout=seconds)
        except httpx2.HTTPError as error:
            where = self.settings.listen.owner
            raise UnavailableError(f"no node answers at {where}; `entrepot run` starts it") from error
        if reply.status_code >= 400:
            raise _refusal(reply)
        return reply


def _refusal(reply: httpx2.Response) -> EntrepotError:
    try:
        problem = reply.json()
        return NodeError(reply.status_code, str(problem["detail"]), str(problem.get("remedy", "")))
    except (ValueError, KeyError, TypeError):
        return NodeError(reply.status_code, f"the node answered {reply.status_code}", "See the node's log.")


def is_terminal() -> bool:
    return sys.stderr.isatty()
