"""The contract as a text to read, in Chinese and English.

It is made from the signed payload when a package is written, and nobody signed it: what was signed are the
payload's bytes, whose digest stands in the first line. Two versions of the product may word it differently.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from entrepot.contracts import ContractTerms, Signatory, open_envelope, read_payload
from entrepot.policy import sentences
from entrepot.values import MalformedError, render_digest, render_time, sha256

_HEADINGS: Final[Mapping[str, tuple[str, ...]]] = {
    "zh": (
        "数字合约",
        "本文为便于阅读由合约内容生成，未经任何一方签署；各方签署的内容以首行摘要为准。",
        "合约编号：{contract}",
        "数据产品：{product}",
        "产品说明摘要：{digest}",
        "数据提供方：{provider}",
        "数据使用方：{consumer}",
        "生效时间：{begins}",
        "终止时间：{ends}",
        "条款：",
    ),
    "en": (
        "Digital contract",
        "This text was made for reading, and nobody signed it: the first line has the digest of what was.",
        "Contract: {contract}",
        "Data product: {product}",
        "Digest of its description: {digest}",
        "Provider: {provider}",
        "Consumer: {consumer}",
        "In force from: {begins}",
        "Ends: {ends}",
        "Terms:",
    ),
}
_SERVICE: Final[Mapping[str, str]] = {"zh": "数据服务方：{did}", "en": "Service party: {did}"}
_NO_END: Final[Mapping[str, str]] = {"zh": "未约定", "en": "not agreed"}
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class _Party(msgspec.Struct):
    did: str = msgspec.field(name="signatoryEntityId")
    role: str = msgspec.field(name="signatorytype")


class _Signed(msgspec.Struct):
    """What a payload says beside its agreement."""

    ends: str = msgspec.field(name="endTime")
    parties: tuple[_Party, ...] = msgspec.field(name="signatoryEntities")


def contract_text(envelope: bytes) -> bytes:
    """The text of a contract from its envelope: first line its id and the digest of what was signed."""
    payload = open_envelope(envelope).raw_payload
    terms, signed = read_payload(payload), msgspec.json.decode(payload, type=_Signed)
    lines = [f"{terms.contract_id} {render_digest(sha256(payload))}"]
    for language in _HEADINGS:
        lines += ["", *_in(language, terms, signed)]
    # A value may hold a control character, and a text that moves a reader's cursor is no text to read.
    return "".join(_CONTROL.sub("\ufffd", line) + "\n" for line in lines).encode()


def is_contract_text(files: Mapping[str, bytes]) -> bool:
    """Whether the text in a package is what this version writes from the contract in it.

    A verifier of one file cannot tell, for it does not know the vocabulary of policies. Neither can we of a
    contract whose terms this version would write otherwise: then the answer is no.
    """
    try:
        return files["contract.txt"] == contract_text(files["contract.json"])
    except MalformedError:
        return False


def _in(language: str, terms: ContractTerms, signed: _Signed) -> Iterable[str]:
    agreement = terms.agreement
    facts = {
        "contract": terms.contract_id,
        "product": agreement.target,
        "digest": render_digest(terms.product_digest),
        "provider": agreement.assigner,
        "consumer": agreement.assignee,
        "begins": render_time(agreement.timestamp),
        "ends": signed.ends or _NO_END[language],
    }
    *heads, last = (heading.format(**facts) for heading in _HEADINGS[language])
    serving = [party.did for party in signed.parties if party.role == Signatory.SERVICE_PARTY]
    rules = (f"{number}. {text}" for number, text in enumerate(sentences(agreement.policy, language), 1))
    return [*heads, *(_SERVICE[language].format(did=did) for did in serving), last, *rules]
