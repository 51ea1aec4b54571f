"""The platform role: members, the catalogue of the space, filing, status list."""

from datetime import timedelta
from typing import Annotated
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta
from sqlalchemy import Connection

from entrepot import catalogue, space, use
from entrepot.identity import KeyJob, newest_status_list
from entrepot.journal import Transaction
from entrepot.ledger import RevocationReason, SignedTransaction, Status, TransactionState
from entrepot.node import rows
from entrepot.node.api import PLACE, answer, answer_page, owner_route, place_of, read_body
from entrepot.node.finding import found_here, owner_search, shelf_loop
from entrepot.node.making import InvitationFile
from entrepot.node.node import Loop, Node, Part
from entrepot.node.roles.restored_owner import comparing_loop, restored_routes
from entrepot.node.settings import Role
from entrepot.protocols import Call, Content, Response, Route, dcp, dsp, tds
from entrepot.space import MemberRole
from entrepot.values import Did, Grade, ProductId, render_digest, render_time


class InviteBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    roles: tuple[MemberRole, ...]
    days: Annotated[float, Meta(gt=0, le=3_650)] = 7.0


class WhyBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Words of the operator for its own book; the member is not told them."""

    why: str = ""


_WHY = Content(WhyBody, optional=True)


class RevokeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    reason: RevocationReason = RevocationReason.BREACH


def rules_of(node: Node) -> space.Rules:
    """The operator's decisions as the space's use cases take them."""
    settings = node.settings
    highest = settings.rules.one_sided_up_to
    return space.Rules(
        name=settings.space.name,
        platform=node.me,
        subject_code=settings.party.subject_code,
        place=settings.rules.place,
        status_url=f"{settings.listen.url}/tds/statusList",
        ledger_url=settings.space.ledger_url,
        contract_type=settings.rules.contract_type,
        one_sided_up_to=Grade(highest) if highest else None,
        one_sided_unregistered=settings.rules.one_sided_unregistered,
        membership=timedelta(days=settings.rules.membership_days),
    )


def platform_part(node: Node, client: tds.Client) -> Part:
    """Put the role together."""
    rules = rules_of(node)
    height = _Height(node)
    receipts = tds.Receipts()
    clerk = space.Clerk(
        node.journal,
        rules,
        node.vault.signer(KeyJob.IDENTITY),
        node.vault.signer(KeyJob.EVIDENCE),
        node.settings.space.ledger_origin,
        lambda: height.known,
        node.clock,
        timedelta(seconds=node.settings.status.resign),
        receipts.signed,
    )

    async def is_behind() -> bool:
        """Whether the ledger may have what this register has not, as it was restored from a backup."""
        last = await node.journal.read(use.newest_restore)
        return last is not None and last.compared_at is None

    async def clerk_works() -> bool:
        if await is_behind():
            return False  # what the ledger has already would be signed anew, and refused
        await height.look()
        return bool(await clerk.work())

    async def settled(signed: SignedTransaction, status: Status) -> None:
        await node.journal.write(lambda tx: _settled(tx, signed, status))

    async def sign_list() -> None:
        if await is_behind():
            return  # a revocation of later may be on the ledger alone
        await node.acquaintance.take_in_status_list(await clerk.sign_status_list())

    services = tds.PlatformServices(
        node.journal,
        rules,
        node.acquaintance.document,
        node.vault.signer(KeyJob.EVIDENCE),
        node.clock,
        receipts,
        use.not_accepted,
    )
    desk = _Catalogue(node)
    also_connector = Role.CONNECTOR in node.settings.roles  # which has these too
    restored = [] if also_connector else restored_routes(node)
    comparing = [] if also_connector else [comparing_loop(node, lambda _agreement: None)]
    ops = ("member.admit", "member.revoke", "contract.file", "contract.end", "product.register")
    return Part(
        public=[
            *desk.routes(),
            *tds.platform_routes(services),
            *tds.register_routes(node.journal),
            tds.search_route(node.journal),
            *issuer_of(node, rules).routes(),
            _OlderList(node, rules).route(),
        ],
        owner=[*_owner_routes(node, rules), owner_search(found_here(node.journal)), *restored],
        loops=[
            Loop("clerk", 1.0, clerk_works, wakes=True, alone=True),
            shelf_loop(node.journal),
            *comparing,
            Loop("sign status list", node.settings.status.resign, sign_list, alone=True),
        ],
        settled=dict.fromkeys(ops, settled),
        senders={
            space.TDS: tds.Notices(node.journal, client).send,
            dcp.DCP_DELIVERY: dcp.Deliveries(
                node.journal, node.outgoing, node.acquaintance.document, node.authorization
            ).send,
        },
        services={
            "CatalogService": node.settings.listen.url + dsp.PATH,
            "IssuerService": node.settings.listen.url + dcp.ISSUER_PATH,
        },
    )


def issuer_of(node: Node, rules: space.Rules) -> dcp.Issuer:
    """The issuer of the space: membership credentials, for members in force."""
    return dcp.Issuer(
        journal=node.journal,
        me=node.me,
        base=node.settings.listen.url + dcp.ISSUER_PATH,
        signer=node.vault.signer(KeyJob.IDENTITY),
        kinds=space.KINDS,
        schemas=space.SCHEMAS,
        decide=lambda c, holder, kinds, now: space.decide_membership(c, rules, holder, kinds, now),
        identify=node.acquaintance.identify,
        profile=node.profile,
        clock=node.clock,
    )


def _settled(tx: Transaction, signed: SignedTransaction, status: Status) -> None:
    match status.state:
        case TransactionState.COMMITTED | TransactionState.WITNESSED:
            space.ledger_committed(tx, signed.id)
        case TransactionState.REFUSED if status.reason == "expired":
            space.ledger_lost(tx, signed.id)
        case TransactionState.REFUSED:
            space.ledger_refused(tx, signed.id, str(status.reason))
        case _:
            pass


class _Height:
    """The ledger's height as last seen; a transaction names the one it was made at."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self.known = 0

    async def look(self) -> None:
        self.known = (await self._node.ledger.standing()).height


class _OlderList:
    """The status list in the form that credentials of VC 1.1 name."""

    def __init__(self, node: Node, rules: space.Rules) -> None:
        self._node = node
        self._rules = rules
        self._signed = space.OlderList(rules, node.vault.signer(KeyJob.IDENTITY))

    def route(self) -> Route:
        return tds.status_list_route(self._newest, urlsplit(self._rules.status_url_2021).path)

    async def _newest(self) -> str | None:
        found = await self._node.journal.read(lambda c: newest_status_list(c, self._rules.status_url))
        return None if found is None else self._signed.of(found[0])


class _Catalogue:
    """The catalogue of the space: what providers have listed, each under its own name."""

    def __init__(self, node: Node) -> None:
        self._node = node
        url = node.settings.listen.url
        self._cover = catalogue.Cover(
            f"{url}/catalog", node.me, url + dsp.PATH, (dsp.envelope.CONTEXT,), only_own=False
        )

    def routes(self) -> list[Route]:
        return dsp.catalogue_routes(self._node.journal, self._page, self._dataset, self._cover.endpoint)

    def _dataset(self, connection: Connection, wanted: str, _caller: Did | None) -> bytes | None:
        return catalogue.dataset_page(connection, self._cover, ProductId(wanted))

    def _page(
        self, connection: Connection, _caller: Did | None, place: catalogue.Place | catalogue.Search
    ) -> catalogue.Page:
        return catalogue.page(connection, self._cover, place)


def _owner_routes(node: Node, rules: space.Rules) -> list[Route]:
    api = _Api(node, rules)
    return [
        owner_route("POST", "/owner/invitations", api.invite, InvitationFile, InviteBody),
        owner_route("GET", "/owner/members", api.members, list[rows.MemberRow]),
        owner_route("POST", "/owner/members/{did:path}/admit", api.admit, rows.MemberStateRow),
        owner_route("POST", "/owner/members/{did:path}/decline", api.decline, rows.MemberStateRow, _WHY),
        owner_route("POST", "/owner/members/{did:path}/suspend", api.suspend, rows.MemberStateRow, _WHY),
        owner_route("POST", "/owner/members/{did:path}/resume", api.resume, rows.MemberStateRow),
        owner_route(
            "POST",
            "/owner/members/{did:path}/revoke",
            api.revoke,
            rows.MemberStateRow,
            Content(RevokeBody, optional=True),
        ),
        owner_route("GET", "/owner/contracts", api.contracts, rows.FiledPage, asks=PLACE),
    ]


class _Api:
    """The operator's routes."""

    def __init__(self, node: Node, rules: space.Rules) -> None:
        self._node = node
        self._journal = node.journal
        self._rules = rules

    async def invite(self, call: Call) -> Response:
        body = read_body(call, InviteBody)
        code = space.new_invitation_code()
        lasts = timedelta(days=body.days)
        await self._journal.write(lambda tx: space.invite(tx, code, body.roles, lasts))
        file = InvitationFile(
            code=code,
            roles=body.roles,
            space=self._node.settings.space,
            origins=self._node.settings.outgoing.allow_private,
        )
        return answer(file)

    async def members(self, _call: Call) -> Response:
        found = await self._journal.read(space.members)
        listed: list[rows.MemberRow] = [
            {
                "did": m.did,
                "name": m.name,
                "subjectCode": m.subject_code,
                "region": m.region,
                "admittedAt": None if m.admitted_at is None else render_time(m.admitted_at),
                "state": str(m.state),
                "roles": [str(r) for r in m.roles],
                "connectorCode": m.connector_code,
                "problem": m.problem,
            }
            for m in found
        ]
        return answer(listed)

    async def admit(self, call: Call) -> Response:
        did = Did(call.path["did"])
        await self._journal.write(lambda tx: space.admit(tx, did))
        return await self._member(did)

    async def decline(self, call: Call) -> Response:
        did = Did(call.path["did"])
        why = read_body(call, WhyBody).why if call.body else ""
        await self._journal.write(lambda tx: space.decline(tx, did, why))
        return await self._member(did)

    async def suspend(self, call: Call) -> Response:
        """Shut a member out until it is resumed; the status list says so from its next signing on."""
        did = Did(call.path["did"])
        why = read_body(call, WhyBody).why if call.body else ""
        await self._journal.write(lambda tx: space.suspend(tx, did, why))
        return await self._member(did)

    async def resume(self, call: Call) -> Response:
        did = Did(call.path["did"])
        await self._journal.write(lambda tx: space.resume(tx, did))
        return await self._member(did)

    async def revoke(self, call: Call) -> Response:
        """Revoke, and sign the status list at once: nobody waits for the next turn."""
        did = Did(call.path["did"])
        reason = read_body(call, RevokeBody).reason if call.body else RevocationReason.BREACH
        await self._journal.write(lambda tx: space.revoke(tx, did, reason))
        return await self._member(did)

    async def contracts(self, call: Call) -> Response:
        place = place_of(call)
        found = await self._journal.read(lambda c: space.contract_page(c, place))
        return answer_page(call, "contracts", found.of(_filed))

    async def _member(self, did: Did) -> Response:
        found = await self._journal.read(lambda c: space.member(c, did))
        return answer({"did": did, "state": "" if found is None else str(found.state)})


def _filed(c: space.FiledContract) -> rows.FiledRow:
    return {
        "contract": c.contract_id,
        "provider": c.holder,
        "consumer": c.counterparty,
        "state": str(c.state),
        "envelope": None if c.envelope_digest is None else render_digest(c.envelope_digest),
        "endReason": c.end_reason,
    }
