"""Talking to the children of a query: one question in, one bounded answer out, and an end to every wait."""

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from entrepot.use.query.cage.model import Asked, Cells, Job, Limits, Ran, Rule, Unread, Verdict, Written
from entrepot.use.query.sandbox import Launch, Sandbox, Tier
from entrepot.use.query.schema import Askable
from entrepot.use.query.staging import Staging
from entrepot.values import EntrepotError

MAX_VERDICT: Final = 4 << 20
READING_SECONDS: Final = 15.0
_AT_ONCE: Final = 2
_CHUNK: Final = 64 << 10

A = TypeVar("A", bound=msgspec.Struct)


class ChildError(EntrepotError):
    """A child gave no answer: it crashed, took too long, or said too much."""


class Children:
    """Reads queries and runs them, each in a child of its own. A few at once; others wait."""

    def __init__(self, sandbox: Sandbox, limits: Limits, at_once: int = _AT_ONCE) -> None:
        self.limits: Final = limits
        self._sandbox = sandbox
        self._staging = Staging()
        self._seats = asyncio.Semaphore(at_once)

    async def tier(self) -> Tier:
        return await asyncio.to_thread(lambda: self._sandbox.tier)

    async def read(self, sql: str, about: Askable) -> Verdict:
        """Have a query written anew, or refused. A text over which the child breaks is refused too."""
        await self.tier()
        asked = msgspec.json.encode(Asked(sql=sql, tables=(about.table,), limits=about.limits))
        try:
            async with self._seats:
                launch = self._sandbox.launch("admitting")
                return await _converse(launch, asked, Verdict, MAX_VERDICT, READING_SECONDS)
        except ChildError:
            return Verdict(refused=Unread(rule=Rule.SYNTAX, detail="it cannot be read within the limits"))

    async def run(self, path: Path, about: Askable, written: Written, earlier: tuple[Cells, ...]) -> Ran:
        """Have a query answered. **What cannot be said within the limits is one rule, whatever it is.**"""
        await self.tier()
        data = await asyncio.to_thread(self._staging.open, path) if self._sandbox.is_apart else path
        try:
            job = Job(
                table=about.table,
                path=self._sandbox.path_of(data),
                written=written,
                earlier=earlier,
                limits=about.limits,
            )
            most = 2 * about.limits.bytes + _CHUNK
            async with self._seats:
                launch = self._sandbox.launch("running", data)
                return await _converse(launch, msgspec.json.encode(job), Ran, most, about.limits.seconds)
        except ChildError:
            return Ran(refused=Rule.ENGINE)
        finally:
            if isinstance(data, int):
                os.close(data)

    def close(self) -> None:
        """Let go of copies and of the sandbox. Nothing is asked afterwards."""
        self._staging.close()
        self._sandbox.close()


async def _converse(launch: Launch, question: bytes, kind: type[A], most: int, seconds: float) -> A:
    process = await asyncio.to_thread(_start, launch)
    try:
        async with asyncio.timeout(seconds):
            answer = await asyncio.to_thread(_exchange, process, question, most)
            status = await asyncio.to_thread(process.wait)
    except TimeoutError as error:
        raise ChildError("its time is over") from error
    finally:
        # Also on success: nothing of a child's session outlives its answer. A thread that reads ends with it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait)
    if status != 0:
        raise ChildError("it broke")
    try:
        return msgspec.json.decode(answer, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChildError("it did not answer in our words") from error


def _start(launch: Launch) -> "subprocess.Popen[bytes]":
    """Start a child as its own user; uvloop's way of starting processes knows no users."""
    return subprocess.Popen(  # noqa: S603 (the command is the sandbox's own)
        launch.command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd=launch.folder,
        pass_fds=launch.descriptors,
        start_new_session=True,
        user=launch.uid,
        group=launch.uid,
        extra_groups=None if launch.uid is None else [],
    )


def _exchange(process: "subprocess.Popen[bytes]", question: bytes, most: int) -> bytes:
    """Ask and hear all of the answer. Blocks until the child has closed its side, or was killed."""
    if process.stdin is None or process.stdout is None:
        raise AssertionError("both are pipes")
    with contextlib.suppress(ConnectionError):  # it ended early; its status says how
        process.stdin.write(question)
    with contextlib.suppress(ConnectionError):
        process.stdin.close()
    answer = bytearray()
    with process.stdout:
        while chunk := os.read(process.stdout.fileno(), _CHUNK):
            answer += chunk
            if len(answer) > most:
                raise ChildError("it says too much")
    return bytes(answer)
