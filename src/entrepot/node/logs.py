"""Logs for operators: one line of JSON an event, on standard error.

No header, query string, body, file name or claim is ever logged, and a traceback is logged as the places
it went through, without values: what strangers send stays out.
"""

import contextlib
import io
import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import TextIO

from entrepot.values import FACTS


def set_up_logs() -> None:
    """Send everything, the libraries' words included, through one form."""
    handler = logging.StreamHandler(_Unfailing(sys.stderr))
    handler.setFormatter(_Line())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("entrepot").setLevel(logging.INFO)


class _Line(logging.Formatter):
    """One event as one line.

    It says where a fault came from and of which kind it is; its text may hold what a stranger sent.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            **getattr(record, FACTS, {}),
            "event": record.getMessage(),
            "level": record.levelname.lower(),
            "timestamp": f"{datetime.fromtimestamp(record.created, UTC):%Y-%m-%dT%H:%M:%S.%fZ}",
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            frames = traceback.extract_tb(error.__traceback__)
            line["fault"] = type(error).__name__
            line["at"] = [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in frames]
        return json.dumps(line, default=repr)


class _Unfailing(io.TextIOBase):
    """A stream that loses what cannot be written: a full disk must not end the loops that tell of it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, line: str) -> int:
        with contextlib.suppress(OSError):
            return self._stream.write(line)
        return len(line)

    def flush(self) -> None:
        with contextlib.suppress(OSError):
            self._stream.flush()
