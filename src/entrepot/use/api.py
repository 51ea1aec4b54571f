"""Open API: pages of a table, or answers of a live service, each call one use through the gate.

    GET /door/{process}                what is here
    GET /door/{process}/openapi.json   its description (OpenAPI 3.1)
    GET /door/{process}/items          a page of the table: limit, cursor, fields, filter
    GET /door/{process}/service/…      a path of the live service

A call that nobody could mean is refused before it is counted; to look at the description is no use. An
answer is settled before it is sent: whoever has it finds its use closed, with rows and bytes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeAlias

import msgspec
from sqlalchemy import Connection

from entrepot import catalogue
from entrepot.catalogue import Product, SourceError
from entrepot.contracts import agreement_of
from entrepot.journal import Journal
from entrepot.policy import Fact, terms_of
from entrepot.use import openapi
from entrepot.use.api_ask import Asked, Table, parse_ask, table_under
from entrepot.use.api_live import PREFIX, Call, LetIn, address_of, ask_service
from entrepot.use.delivery import abort_of
from entrepot.use.doors import UNKNOWN, USE_HEADER, Visit, answer, complain, refuse
from entrepot.use.gate import admit, settle
from entrepot.use.model import NOTHING, Denied, House, Outcome, Spent, Use
from entrepot.use.process import find_door
from entrepot.use.streams import Stream, Streams
from entrepot.values import AgreementId, EntrepotError, KindOfUse, Log, MalformedError, sha256
from entrepot.values.canonical import Json

_MOST_KNOWN: Final = 1_000
_JSON: Final = "application/json"
_ASK_ANEW: Final = "Correct the call; openapi.json beside it says what can be asked. Nothing was used."
_LATER: Final = "Try again later; this call was not counted."
_log: Final = Log()


@dataclass(frozen=True, slots=True)
class Behind:
    """What an agreement opens. It never changes; whether it may be used now is asked at each call."""

    product: Product
    table: Table


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call is answered with."""

    body: bytes
    rows: int = 0
    media_type: str = _JSON
    next_page: str = ""


KeyOf: TypeAlias = Callable[[AgreementId], bytes]
"""Makes the key of an agreement's cursors, the same for all workers and after every start."""
Work: TypeAlias = Callable[[], Awaitable[Answer]]
"""Makes the answer, once the use of it is written down. An error of ours means that no data was touched."""


class ApiDoor:
    """What serves the doors of open APIs."""

    def __init__(
        self, journal: Journal, house: House, streams: Streams, call: Call, let_in: LetIn, key_of: KeyOf
    ) -> None:
        self._journal = journal
        self._house = house
        self._streams = streams
        self._call = call
        self._let_in = let_in
        self._key_of = key_of
        self._reader = cache(catalogue.open_reader)
        self._known: dict[AgreementId, Behind] = {}

    async def __call__(self, visit: Visit) -> None:
        behind = await self._behind(visit.process.agreement_id)
        if behind is None or visit.method != "GET":
            await refuse(visit.send, UNKNOWN)
        elif visit.below in {"", "openapi.json"}:
            await self._describe(visit, behind)
        else:
            try:
                observed, work = self._asked(visit, behind)
            except MalformedError as error:
                await self._object(visit, error)
            else:
                await self._serve(visit, observed, work)

    def _asked(self, visit: Visit, behind: Behind) -> tuple[Mapping[str, Fact], Work]:
        """What is asked for, and how it is answered; or say what is wrong with it."""
        query: bytes = visit.scope["query_string"]
        service = behind.table.resource.service
        if service is not None and visit.below.startswith(f"{PREFIX}/"):
            address = address_of(service, visit.below, query)
            return {}, lambda: self._ask_service(behind, address)
        if service is None and visit.below == "items":
            asked = parse_ask(query, behind.table)
            return asked.observed, lambda: self._read_page(behind.table, asked)
        raise MalformedError("there is nothing of that name below this door")

    async def _serve(self, visit: Visit, observed: Mapping[str, Fact], work: Work) -> None:
        process, knock = visit.process, visit.knock(KindOfUse.API, observed)
        # Registered before the gate is asked, as for a delivery: no stop falls between the two.
        cutting = abort_of(visit.send)
        with self._streams.registered(process.agreement_id, process.exchange.id, cutting) as stream:
            admitted = await self._journal.write(lambda tx: admit(tx, knock, self._house))
            if isinstance(admitted, Denied):
                await refuse(visit.send, admitted)
                return
            stream.begin()
            answered = await self._answered(visit, admitted.use, work, stream)
            if answered is not None and not stream.is_cut:
                await _send(visit, admitted.use, answered)

    async def _answered(self, visit: Visit, use: Use, work: Work, stream: Stream) -> Answer | None:
        """Make the answer and close the use with it; where there is none, say so and take the use back."""
        try:
            answered = await work()
        except EntrepotError as error:
            await self._settle(use, Outcome.REFUSED, NOTHING)
            # What went wrong behind the door is the owner's to know.
            _log.warning("unanswered", use=use.id, error=str(error))
            if isinstance(error, SourceError):
                await refuse(visit.send, Denied(("the data is not what was offered; its owner must look",)))
            else:
                await complain(visit.send, 503, ("what lies behind this door cannot be had now",), _LATER)
            return None
        except BaseException:
            await self._settle(use, Outcome.FAILED, NOTHING)
            raise
        if stream.is_cut:
            await self._settle(use, Outcome.INTERRUPTED, NOTHING)
            return None
        body = answered.body
        spent = Spent(bytes=len(body), rows=answered.rows, answer=sha256(body), size=len(body))
        await self._settle(use, Outcome.ANSWERED, spent)
        return answered

    async def _read_page(self, table: Table, asked: Asked) -> Answer:
        resource = table.resource
        if not catalogue.is_unchanged(resource):
            raise SourceError("the artefact changed")
        reader = self._reader()
        page = reader.kept(resource, asked.ask)
        if page is None:
            page = await asyncio.to_thread(reader.read, resource, asked.ask)
        following = "" if page.after is None else asked.next_page(table, page.after)
        told = msgspec.json.encode(following or None)
        return Answer(b'{"items":%b,"next":%b}' % (page.items, told), page.rows, next_page=following)

    async def _ask_service(self, behind: Behind, address: str) -> Answer:
        service = behind.table.resource.service
        if service is None or not catalogue.is_unchanged(behind.table.resource):
            raise SourceError("the description of the service changed")
        answered = await ask_service(service, address, self._call, self._let_in)
        return Answer(answered.body, media_type=answered.media_type)

    async def _describe(self, visit: Visit, behind: Behind) -> None:
        """Say what can be asked for, to whoever holds the token. That is no use of data."""
        if not await self._is_known(visit):
            await refuse(visit.send, UNKNOWN)
            return
        process_id, service = visit.process.exchange.id, behind.table.resource.service
        if service is None:
            document = openapi.describe_table(behind.product, process_id, behind.table)
        else:
            document = openapi.describe_service(behind.product, process_id, service)
        if not visit.below:
            base = f"/door/{process_id}"
            paths = document["paths"]
            links: list[Json] = [base + path for path in paths] if isinstance(paths, dict) else []
            document = {"description": f"{base}/openapi.json", "paths": links}
        body = msgspec.json.encode(document)  # names of columns are keys in it, in any script
        await answer(visit.send, 200, {"content-type": _JSON, "content-length": str(len(body))}, body)

    async def _object(self, visit: Visit, error: MalformedError) -> None:
        """Say what is wrong with a call; to a caller whom the door does not know, nothing."""
        if await self._is_known(visit):
            await complain(visit.send, 400, (str(error),), _ASK_ANEW)
        else:
            await refuse(visit.send, UNKNOWN)

    async def _is_known(self, visit: Visit) -> bool:
        process_id = visit.process.exchange.id
        return await self._journal.read(lambda c: find_door(c, process_id, visit.token)) is not None

    async def _behind(self, agreement_id: AgreementId) -> Behind | None:
        known = self._known.get(agreement_id)
        if known is None:
            known = await self._journal.read(lambda c: _behind(c, agreement_id, self._key_of))
            if known is not None:
                if len(self._known) >= _MOST_KNOWN:
                    self._known.clear()
                self._known[agreement_id] = known
        return known

    async def _settle(self, use: Use, outcome: Outcome, spent: Spent) -> None:
        await self._journal.write(lambda tx: settle(tx, self._house, use.id, outcome, spent))


def _behind(connection: Connection, agreement_id: AgreementId, key_of: KeyOf) -> Behind | None:
    contract = agreement_of(connection, agreement_id)
    if contract is None:
        return None
    product = catalogue.product_under(connection, contract.agreement.target, contract.product_digest)
    resource = None if product is None else catalogue.resource(connection, product.resource_id)
    if product is None or resource is None or not (resource.columns or resource.service):
        return None
    terms = terms_of(contract.agreement.policy, KindOfUse.API)
    return Behind(product, table_under(resource, terms, key_of(agreement_id)))


async def _send(visit: Visit, use: Use, answered: Answer) -> None:
    head = {
        "content-type": answered.media_type,
        "content-length": str(len(answered.body)),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        USE_HEADER: use.id,
    }
    if answered.next_page:
        head["link"] = f'<{answered.next_page}>; rel="next"'
    await answer(visit.send, 200, head, answered.body)
