"""The door of queries in place (`EntrepotQuery-PULL`): a question goes in, an answer about groups comes out.

GET tells what may be asked; POST of `{"sql": ...}` asks, and is one use. A question that its text alone
refuses is taken back and costs nothing. Once data was touched every end costs the same use: an answer, an
answer that would differ too little from an earlier one, an engine that could not answer. Those ends take a
whole number of buckets of time, so that neither an error nor a group that was left out can be timed.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import anyio
import msgspec
from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.catalogue import Resource
from entrepot.contracts import Contract, agreement_of
from entrepot.journal import Journal, Transaction
from entrepot.use.delivery import abort_of
from entrepot.use.doors import UNKNOWN, USE_HEADER, Visit, answer, complain, refuse
from entrepot.use.gate import admit, settle
from entrepot.use.model import Admitted, Denied, House, Knock, Outcome, Spent, Use
from entrepot.use.process import find_door
from entrepot.use.query import history
from entrepot.use.query.answer import MEDIA_TYPE, encode_answer
from entrepot.use.query.cage.model import SENTENCES, Limits, Result, Rule, Unread, Verdict, Written
from entrepot.use.query.children import Children
from entrepot.use.query.schema import Askable, askable, facts_seen, render_schema
from entrepot.use.streams import Stream, Streams
from entrepot.values import Did, Digest, KindOfUse, UnavailableError, canonical, sha256

MAX_BODY: Final = 64 << 10
REMEDY: Final = "GET the door for its tables, roles and rules."


class _Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sql: str


@dataclass(frozen=True, slots=True)
class _Behind:
    """What lies behind a door."""

    contract: Contract
    resource: Resource
    artefact: Digest
    asked: Askable


class QueryDoor:
    """What serves the doors of queries in place."""

    def __init__(self, journal: Journal, house: House, streams: Streams, children: Children) -> None:
        self._journal = journal
        self._house = house
        self._streams = streams
        self._children = children
        self._turns: WeakValueDictionary[Did, asyncio.Lock] = WeakValueDictionary()

    async def __call__(self, visit: Visit) -> None:
        if visit.below or visit.method not in {"GET", "POST"}:
            await refuse(visit.send, UNKNOWN)
            return
        # The token is looked at before a child is started for its bearer; the gate looks again.
        limits = self._children.limits
        behind = await self._journal.read(lambda c: _behind(c, visit.knock(KindOfUse.QUERY), limits))
        if isinstance(behind, Denied):
            await refuse(visit.send, behind)
        elif visit.method == "GET":
            await self._tell(visit, behind)
        else:
            # One question of a consumer at a time: who asks many waits for them, and nobody else does.
            async with self._turns.setdefault(behind.contract.counterparty, asyncio.Lock()):
                await self._hear(visit, behind)

    async def _tell(self, visit: Visit, behind: _Behind) -> None:
        """Say what may be asked. It is no use: it tells nothing of the data."""
        body = canonical.encode(render_schema(behind.asked))
        await answer(visit.send, 200, _head("application/json", body), body)

    async def _hear(self, visit: Visit, behind: _Behind) -> None:
        try:
            sql = await _question(visit)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            await complain(visit.send, 400, ('the body is {"sql": "..."}',), REMEDY)
            return
        except OverflowError:
            await complain(visit.send, 413, (f"a body has at most {MAX_BODY} bytes",), REMEDY)
            return
        try:
            verdict = await self._judged(await self._children.read(sql, behind.asked), behind)
        except UnavailableError as error:
            await complain(visit.send, 503, ("queries cannot be run here now",), error.remedy())
            return
        seen = facts_seen(behind.asked, verdict.written, await self._children.tier())
        knock = visit.knock(KindOfUse.QUERY, seen)
        process = visit.process
        # Registered before the gate is asked: a stop that becomes durable after the use was admitted
        # finds the handle, one that came before is seen by the gate.
        cutting = abort_of(visit.send)
        with self._streams.registered(process.agreement_id, process.exchange.id, cutting) as stream:
            admitted = await self._journal.write(lambda tx: _open(tx, knock, self._house, verdict.written))
            if isinstance(admitted, Denied):
                await refuse(visit.send, admitted)
                return
            stream.begin()
            if verdict.written is None:
                await self._refuse_text(visit, admitted.use, verdict)
            else:
                found = await self._answer(admitted.use, behind, verdict.written, stream)
                if not stream.is_cut:
                    await self._send(visit, admitted.use, found)

    async def _judged(self, verdict: Verdict, behind: _Behind) -> Verdict:
        """What can be read may still be too much to compare: refused as a text is, at no cost."""
        if verdict.written is None:
            return verdict
        consumer, artefact = behind.contract.counterparty, behind.artefact
        before = await self._journal.read(lambda c: history.answered(c, consumer, artefact))
        fresh, limits = verdict.written.cells, behind.asked.limits
        if history.is_too_much(behind.resource.rows, fresh, before, limits):
            return Verdict(refused=Unread(rule=Rule.HISTORY, detail="fewer keys and columns take less"))
        return verdict

    async def _refuse_text(self, visit: Visit, use: Use, verdict: Verdict) -> None:
        """Refuse a question from its text: no data was touched, so the use is taken back."""
        await self._journal.write(lambda tx: settle(tx, self._house, use.id, Outcome.REFUSED))
        if verdict.refused is not None:
            await _object(visit, use, verdict.refused.rule, verdict.refused.detail)

    async def _answer(self, use: Use, behind: _Behind, written: Written, stream: Stream) -> Rule | bytes:
        """Compute the answer and settle the use; whatever happens meanwhile, it is settled."""
        begun = time.monotonic()
        ended: Rule | bytes = Rule.ENGINE
        spent = Spent()
        try:
            ended, spent = await self._compute(use, behind, written)
            return ended
        finally:
            with anyio.CancelScope(shield=True):
                outcome = Outcome.FAILED if isinstance(ended, Rule) else Outcome.ANSWERED
                await _until_next(begun, self._children.limits)
                if stream.is_cut:
                    outcome, spent = Outcome.INTERRUPTED, Spent(environment=spent.environment)
                await self._journal.write(lambda tx: self._close(tx, use, outcome, spent))

    async def _compute(self, use: Use, behind: _Behind, written: Written) -> tuple[Rule | bytes, Spent]:
        if not await asyncio.to_thread(catalogue.is_unchanged, behind.resource):
            return Rule.ENGINE, Spent()
        earlier = await self._journal.read(lambda c: history.earlier(c, use))
        ran = await self._children.run(behind.resource.path, behind.asked, written, earlier)
        tier = str(await self._children.tier())
        if ran.result is None:
            return ran.refused or Rule.ENGINE, Spent(environment=tier)
        body = encode_answer(ran.result, behind.asked.table.k, tier)
        return body, _spent(ran.result, body, tier)

    def _close(self, tx: Transaction, use: Use, outcome: Outcome, spent: Spent) -> None:
        if outcome is not Outcome.ANSWERED:
            history.forget(tx, use.id)
        settle(tx, self._house, use.id, outcome, spent)

    async def _send(self, visit: Visit, use: Use, found: Rule | bytes) -> None:
        if isinstance(found, Rule):
            await _object(visit, use, found, "")
        else:
            await answer(visit.send, 200, {**_head(MEDIA_TYPE, found), USE_HEADER: use.id}, found)


def _behind(connection: Connection, knock: Knock, limits: Limits) -> _Behind | Denied:
    """What the token opens: nothing to whom no door knows."""
    door = find_door(connection, knock.process_id, knock.token)
    contract = None if door is None else agreement_of(connection, door.agreement_id)
    if contract is None:
        return UNKNOWN
    product = catalogue.product_under(connection, contract.agreement.target, contract.product_digest)
    resource = None if product is None else catalogue.resource(connection, product.resource_id)
    if product is None or resource is None:
        return Denied(("the product of this contract is not here",))
    asked = askable(product, resource, contract.agreement.policy, limits)
    if asked is None:
        return Denied(("nobody has said what may be asked about this product",))
    return _Behind(contract, resource, product.artefact, asked)


def _open(tx: Transaction, knock: Knock, house: House, written: Written | None) -> Admitted | Denied:
    admitted = admit(tx, knock, house)
    if written is not None and isinstance(admitted, Admitted):
        history.remember(tx, admitted.use, written.cells)
    return admitted


async def _question(visit: Visit) -> str:
    """Read the body, within bounds."""
    body = bytearray()
    while True:
        event = await visit.receive()
        if event["type"] != "http.request":
            raise msgspec.DecodeError("the caller left")
        body += event.get("body", b"")
        if len(body) > MAX_BODY:
            raise OverflowError
        if not event.get("more_body", False):
            return msgspec.json.decode(bytes(body), type=_Question).sql


async def _until_next(begun: float, limits: Limits) -> None:
    """Wait until a whole number of buckets has passed."""
    passed = time.monotonic() - begun
    await asyncio.sleep(limits.bucket - passed % limits.bucket)


def _spent(result: Result, body: bytes, tier: str) -> Spent:
    digest: Digest = sha256(body)
    return Spent(bytes=len(body), rows=len(result.rows), answer=digest, size=len(body), environment=tier)


def _head(media_type: str, body: bytes) -> dict[str, str]:
    return {"content-type": media_type, "content-length": str(len(body))}


async def _object(visit: Visit, use: Use, rule: Rule, detail: str) -> None:
    """Refuse by a rule of `cage/model.py`; the detail is made of the question's text and the schema only."""
    document: dict[str, canonical.Json] = {
        "type": "about:blank",
        "title": "Refused",
        "status": 403,
        "rule": str(rule),
        "reasons": [SENTENCES[rule], *([detail] if detail else [])],
        "remedy": REMEDY,
    }
    body = canonical.encode(document)
    await answer(visit.send, 403, {**_head("application/problem+json", body), USE_HEADER: use.id}, body)
