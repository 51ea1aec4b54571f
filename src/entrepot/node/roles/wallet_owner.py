"""The owner's side of the wallet: credentials held, asked for and offered, and clients that get tokens."""

import asyncio
from contextlib import suppress

import msgspec

from entrepot import identity
from entrepot.identity import CredentialForm, Kind, OwnCredential
from entrepot.journal import Transaction
from entrepot.node import rows
from entrepot.node.api import answer, owner_route, read_body
from entrepot.node.node import Node
from entrepot.node.wallet import asking
from entrepot.protocols import Call, Response, Route
from entrepot.protocols.dcp import check_scopes, queue_request
from entrepot.values import Did, EntrepotError, MalformedError, NotFoundError, UtcTime, render_time

_MOST_ASKED = 16
_FORMS = {"vc20": CredentialForm.VC20, "vc11": CredentialForm.VC11}


class AskBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Credentials of these types from an issuer, in one form; or all that one of its offers names."""

    issuer: str = ""
    types: tuple[str, ...] = ()
    form: str = "vc20"
    offer: str = ""


class ClientBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    name: str
    scopes: tuple[str, ...] = ()


def wallet_routes(node: Node) -> list[Route]:
    """The owner's routes to the wallet."""
    api = _Api(node)
    return [
        owner_route("GET", "/owner/credentials", api.held, list[rows.CredentialRow]),
        owner_route("POST", "/owner/credentials/{digest}/drop", api.drop, rows.GoneRow),
        owner_route("GET", "/owner/credential-requests", api.requests, list[rows.CredentialRequestRow]),
        owner_route("POST", "/owner/credential-requests", api.ask, rows.CredentialRequestRow, AskBody),
        owner_route("GET", "/owner/credential-offers", api.offers, list[rows.CredentialOfferRow]),
        owner_route("GET", "/owner/token-clients", api.clients, list[rows.TokenClientRow]),
        owner_route("POST", "/owner/token-clients", api.make_client, rows.TokenClientRow, ClientBody),
        owner_route("POST", "/owner/token-clients/{name}/close", api.close_client, rows.GoneRow),
    ]


class _Api:
    def __init__(self, node: Node) -> None:
        self._node = node
        self._journal = node.journal
        self._asking = asking(node)

    async def held(self, _call: Call) -> Response:
        """Every credential held, and whether it holds now."""
        node, now = self._node, self._node.clock()
        found = await self._journal.read(
            lambda c: [
                _shown(own, holds=identity.is_good(c, own.credential, now))
                for own in identity.own_credentials(c, node.me)
            ]
        )
        return answer(found)

    async def drop(self, call: Call) -> Response:
        await self._journal.write(lambda tx: identity.drop_credential(tx, call.path["digest"]))
        return answer(rows.GoneRow(ended=call.path["digest"]))

    async def requests(self, _call: Call) -> Response:
        """What was asked for; issuers that have not answered are asked again how far it is, the latest."""
        waiting = [a for a in await self._journal.read(identity.requests) if a.is_open]
        await asyncio.gather(*map(self._look, waiting[:_MOST_ASKED]))
        return answer([_asked(a) for a in await self._journal.read(identity.requests)])

    async def _look(self, asked: identity.Asked) -> None:
        with suppress(EntrepotError):  # then what is known already is the answer
            await self._asking.look(asked)

    async def ask(self, call: Call) -> Response:
        body = read_body(call, AskBody)
        if body.offer:
            return answer(_asked(await self._journal.write(lambda tx: _follow(tx, body.offer))))
        form = _FORMS.get(body.form)
        if form is None or not body.types:
            raise MalformedError("expected types, and as form vc20 or vc11")
        issuer = Did(body.issuer or self._node.settings.space.platform)
        return answer(_asked(await self._asking.ask(issuer, body.types, form)))

    async def offers(self, _call: Call) -> Response:
        found = await self._journal.read(identity.offers)
        listed: list[rows.CredentialOfferRow] = [
            {
                "offer": o.id,
                "issuer": o.issuer,
                "credentials": [_kind(k) for k in o.kinds],
                "receivedAt": render_time(o.received_at),
            }
            for o in found
        ]
        return answer(listed)

    async def clients(self, _call: Call) -> Response:
        found = await self._journal.read(identity.token_clients)
        listed: list[rows.TokenClientRow] = [
            {"name": c.id, "scopes": [*c.scopes], "madeAt": render_time(c.made_at)} for c in found
        ]
        return answer(listed)

    async def make_client(self, call: Call) -> Response:
        """Make a client; its secret is said this once."""
        body = read_body(call, ClientBody)
        if not body.name.isascii() or not 0 < len(body.name) <= 100 or not body.name.isprintable():
            raise MalformedError("name: expected 1 to 100 printable characters")
        scopes = body.scopes or self._node.settings.wallet.shown
        check_scopes(scopes)
        secret = identity.new_client_secret()
        await self._journal.write(lambda tx: identity.make_token_client(tx, body.name, secret, scopes))
        return answer(rows.TokenClientRow(name=body.name, scopes=[*scopes], secret=secret))

    async def close_client(self, call: Call) -> Response:
        await self._journal.write(lambda tx: identity.close_token_client(tx, call.path["name"]))
        return answer(rows.GoneRow(ended=call.path["name"]))


def _follow(tx: Transaction, offer_id: str) -> identity.Asked:
    """Ask an issuer for all that it has offered."""
    found = next((o for o in identity.offers(tx.connection) if o.id == offer_id), None)
    if found is None:
        raise NotFoundError("there is no such offer")
    asked = identity.ask_for(tx, found.issuer, found.kinds)
    queue_request(tx, asked)
    return asked


def _shown(own: OwnCredential, *, holds: bool) -> rows.CredentialRow:
    said = own.credential
    return {
        "credential": own.digest,
        "types": [*said.types],
        "issuer": said.issuer,
        "form": said.form.value,
        "id": said.id,
        "validFrom": _time(said.valid_from),
        "validUntil": _time(said.valid_until),
        "heldSince": _time(own.since),
        "holds": holds,
    }


def _asked(asked: identity.Asked) -> rows.CredentialRequestRow:
    return {
        "request": asked.holder_pid,
        "issuer": asked.issuer,
        "credentials": [_kind(k) for k in asked.kinds],
        "state": str(asked.state),
        "reason": asked.reason,
        "madeAt": render_time(asked.made_at),
    }


def _kind(kind: Kind) -> rows.KindRow:
    return {"id": kind.id, "type": kind.type, "form": "" if kind.form is None else kind.form.value}


def _time(time: UtcTime | None) -> str | None:
    return None if time is None else render_time(time)
