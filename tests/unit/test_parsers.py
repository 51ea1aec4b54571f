"""Every parser takes anything, and gives a value or a refusal: none of them falls over.

The walk at the end finds parsers by their names, so that a new one cannot stay without such a test.
"""

import ast
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.catalogue import Column, ColumnType, Resource
from entrepot.catalogue.protection import decode_protection
from entrepot.catalogue.source import Source, SourceKind, parse_source, render_source, split_address
from entrepot.contracts.wire import parse_offer
from entrepot.identity import Asked, AskedState
from entrepot.identity.membership import read_membership
from entrepot.journal.carrying import decode_row
from entrepot.ledger.note import decode_base64, decode_hash, encode_base64, parse_size
from entrepot.policy import OPERANDS
from entrepot.policy.literals import (
    parse_duration,
    parse_money,
    read_value,
    render_duration,
    render_money,
    write_value,
)
from entrepot.policy.network import parse_network, short_network
from entrepot.policy.terms import Terms
from entrepot.protocols.dcp import issuance_codec as issuance
from entrepot.protocols.dcp.codec import read_object
from entrepot.protocols.dcp.sts import parse_token_request
from entrepot.protocols.dps import codec as dps
from entrepot.protocols.dps.codec import parse_registration
from entrepot.protocols.dsp.codec import read_reasons
from entrepot.protocols.dsp.data_address import read_address
from entrepot.protocols.tds import codec as tds
from entrepot.use.api_ask import parse_ask, table_under
from entrepot.use.delivery import Span, parse_range
from entrepot.use.flow.model import PlaneKind
from entrepot.use.flow.taking import read_grant
from entrepot.use.notices import decode_notice
from entrepot.use.query.answer import read_answer
from entrepot.values import Did, Digest, EntrepotError, canonical, sha256

SRC: Final = Path(__file__).parents[2] / "src" / "entrepot"
TESTS: Final = Path(__file__).parents[1]
TABLE: Final = Resource(
    id="resource",
    path=Path("data.parquet"),
    media_type="application/vnd.apache.parquet",
    size=1,
    digest=Digest(sha256(b"data")),
    modified_ns=0,
    inode=0,
    columns=(Column("a", ColumnType.INTEGER), Column("b", ColumnType.TEXT)),
    rows=7,
)
ASKED: Final = Asked(
    "ours", Did("did:web:issuer.example"), (), AskedState.RECEIVED, datetime(2026, 1, 1, tzinfo=UTC)
)
BYTES: Final[dict[str, Callable[[bytes], Any]]] = {
    "catalogue.protection.decode_protection": decode_protection,
    "journal.carrying.decode_row": decode_row,
    "protocols.dcp.codec.read_object": read_object,
    "protocols.dcp.issuance_codec.parse_delivery": issuance.parse_delivery,
    "protocols.dcp.issuance_codec.parse_metadata": issuance.parse_metadata,
    "protocols.dcp.issuance_codec.parse_offer": issuance.parse_offer,
    "protocols.dcp.issuance_codec.parse_request": issuance.parse_request,
    "protocols.dcp.issuance_codec.parse_status": lambda raw: issuance.parse_status(raw, ASKED),
    "protocols.dcp.sts.parse_token_request": parse_token_request,
    "protocols.dsp.codec.read_reasons": read_reasons,
    "protocols.dps.codec.decode": dps.decode,
    "protocols.dps.codec.parse_order": dps.parse_order,
    "protocols.dps.codec.parse_word": dps.parse_word,
    "protocols.dps.codec.parse_renewal": dps.parse_renewal,
    "protocols.dps.codec.parse_registration": lambda raw: [parse_registration(raw, k) for k in PlaneKind],
    "use.flow.taking.read_grant": read_grant,
    "protocols.tds.codec.parse_listing": tds.parse_listing,
    "protocols.tds.codec.read_problem": tds.read_problem,
    "use.api_ask.parse_ask": lambda raw: parse_ask(raw, table_under(TABLE, Terms(), bytes(32))),
    "use.notices.decode_notice": decode_notice,
    "use.query.answer.read_answer": read_answer,
    **{
        f"protocols.tds.codec.decode of {kind.__name__}": lambda raw, kind=kind: tds.decode(raw, kind)
        for kind in (
            tds.ContractCreate,
            tds.ContractCreated,
            tds.ContractRegistrate,
            tds.ContractRegistrated,
            tds.ProductRegister,
            tds.MembershipStatus,
            tds.ContractSignature,
            tds.ContractFiled,
            tds.MemberCard,
        )
    },
}
TEXTS: Final[dict[str, Callable[[str], Any]]] = {
    "catalogue.source.split_address": split_address,
    "identity.membership.read_membership": read_membership,
    "ledger.note.parse_size": parse_size,
    "ledger.note.decode_hash": decode_hash,
    "ledger.note.decode_base64": decode_base64,
    "policy.literals.parse_duration": parse_duration,
    "policy.literals.parse_money": parse_money,
    "policy.literals.read_value": lambda text: [_value(name, text) for name in OPERANDS],
    "policy.network.parse_network": parse_network,
    "use.delivery.parse_range": lambda text: parse_range(text, 10),
}
DOCUMENTS: Final[dict[str, Callable[[Any], Any]]] = {
    "contracts.wire.parse_offer": parse_offer,
    "protocols.dsp.data_address.read_address": read_address,
}
ELSEWHERE: Final = {
    "catalogue.source.parse_source": "reads what render_source wrote down here, see below",
    "oversight.verify.read_point": "only ever given 32 bytes; see tests/unit/oversight/test_ed25519.py",
    "journal.database.parse_url": "the owner's own setting, refused by its own words",
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
NOISE = st.one_of(
    st.binary(max_size=120),
    JSON.map(lambda value: canonical.encode(value) if _is_canonical(value) else b"{}"),
    st.text("abcdefghilmnorstu=&%+0123456789-", max_size=60).map(str.encode),
)


def _is_canonical(value: Any) -> bool:
    try:
        canonical.encode(value)
    except EntrepotError:
        return False
    return True


def _value(name: str, text: str) -> object:
    try:
        return read_value(OPERANDS[name], text)
    except EntrepotError:
        return None


def taken(parse: Callable[[Any], Any], value: Any) -> bool:
    """Whether it was read. Anything but a value or a refusal of ours is a fault."""
    try:
        parse(value)
    except EntrepotError:
        return False
    return True


@pytest.mark.parametrize("name", BYTES)
@given(raw=NOISE)
@settings(max_examples=60)
def test_any_bytes_are_read_or_refused(name: str, raw: bytes) -> None:
    """They come from a stranger, from a child process, or from a file that somebody touched."""
    taken(BYTES[name], raw)


@pytest.mark.parametrize("name", TEXTS)
@given(text=st.text(max_size=60) | st.from_regex(r"[Pbytes=]{0,6}[0-9]{0,30}[-.WDTHMS ]{0,3}[0-9A-Z]{0,20}"))
@settings(max_examples=100)
def test_any_text_is_read_or_refused(name: str, text: str) -> None:
    """They stand in headers, policies and notes."""
    taken(TEXTS[name], text)


@pytest.mark.parametrize("name", DOCUMENTS)
@given(document=JSON)
@settings(max_examples=60)
def test_any_document_is_read_or_refused(name: str, document: Any) -> None:
    """A counterparty may send any JSON in the place of an offer."""
    taken(DOCUMENTS[name], document)


@given(st.integers(0, 40), st.one_of(st.none(), st.integers(0, 60)), st.one_of(st.none(), st.integers(0, 60)))
def test_a_range_is_what_rfc_9110_says(size: int, first: int | None, last: int | None) -> None:
    """A byte too many discloses, a byte too few breaks a resumed delivery; the oracle is a list of places."""
    header = f"bytes={'' if first is None else first}-{'' if last is None else last}"
    places = list(range(size))
    if first is None:
        wanted = places if last is None else places[max(size - last, 0) :]
    else:
        wanted = [at for at in places if at >= first and (last is None or at <= last)]
        wanted = wanted if last is None or last >= first else []
    found = parse_range(header, size)

    if first is None and last is None:
        assert found == Span(0, size, is_part=False)
    elif wanted:
        assert found == Span(wanted[0], wanted[-1] + 1, is_part=True)
    else:
        assert found is None


@given(st.integers(1, 10**9))
def test_a_duration_and_an_amount_have_one_text(count: int) -> None:
    """What is written is read again as the same; a policy says it in its own bytes."""
    assert parse_duration(render_duration(timedelta(seconds=count))) == timedelta(seconds=count)
    for text in (f"{count}.07 CNY", f"{count} JPY"):
        assert render_money(parse_money(text)) == text


@given(st.ip_addresses(), st.integers(0, 128))
def test_a_network_has_one_text(address: Any, width: int) -> None:
    """A range that is written twice would be two ranges to a policy."""
    text = f"{address}/{min(width, address.max_prefixlen)}"
    if taken(parse_network, text):
        assert short_network(short_network(text)) == short_network(text)
        assert parse_network(short_network(text)) == parse_network(text)


@given(st.sampled_from(sorted(OPERANDS)), st.datetimes(timezones=st.just(UTC)), st.text(max_size=20))
def test_a_value_of_an_operand_reads_back(name: str, at: datetime, text: str) -> None:
    """Whatever an operand takes from the wire, it gives back to it."""
    kind = OPERANDS[name].type
    for written in (text, at.isoformat(), "1", "P1D", "10.00 CNY"):
        value = _value(name, written)
        if value is not None:
            assert _value(name, write_value(value, kind)) == value  # type: ignore[arg-type]  # just read


@given(st.text(max_size=40), st.text(max_size=20))
def test_a_source_that_was_written_down_is_read_again(where: str, secret: str) -> None:
    """A node must find its own sources after a restart, whatever they are called."""
    source = Source(SourceKind.CSV, where, secret=secret)
    if _is_canonical(where) and _is_canonical(secret):
        assert parse_source(canonical.encode(render_source(source))) == source


@given(st.binary(min_size=1, max_size=40))
def test_base64_has_one_form(raw: bytes) -> None:
    """Stray bits after the last byte would be a second text for one signature."""
    text = encode_base64(raw)
    assert decode_base64(text) == raw
    if len(raw) % 3:
        last = text.rstrip("=")[-1]
        place = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".index(last)
        stray = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[place ^ 1]
        head, end = text.rstrip("=")[:-1], "=" * text.count("=")
        assert not taken(decode_base64, head + stray + end)


def parsers() -> list[tuple[str, str]]:
    """Every parser in the product, by what it is called and what it takes: whole name, and own name."""
    found = []
    for path in sorted(SRC.rglob("*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, ast.FunctionDef) or not node.args.args:
                continue
            takes = {ast.unparse(a.annotation) for a in node.args.args if a.annotation is not None}
            named = re.fullmatch(r"(parse|decode|read|split|unpack)(_\w+)?", node.name)
            if named and takes & {"bytes", "str", "str | None", "Json", "canonical.Json"}:
                if takes & {"Connection", "Path"}:
                    continue
                found.append((".".join([*path.relative_to(SRC).with_suffix("").parts, node.name]), node.name))
    return found


def test_every_parser_has_a_property_test() -> None:
    """Issue 3, must show 4. A parser is in the tables above, or in a module of tests with properties."""
    here = {name.split(" of ")[0] for name in (*BYTES, *TEXTS, *DOCUMENTS, *ELSEWHERE)}
    others = (path for path in TESTS.rglob("test_*.py") if path != Path(__file__))
    modules = [source for path in others if "@given" in (source := path.read_text())]
    words = {word for source in modules for word in re.findall(r"\w+", source)}
    missing = [whole for whole, name in parsers() if whole not in here and name not in words]
    assert missing == []
    assert here <= {whole for whole, _ in parsers()}
