"""The words everyone shares: ids, time, digests, canonical bytes, money, grades, national codes."""

from entrepot.values import canonical
from entrepot.values.addresses import origin_of
from entrepot.values.clock import Clock, UtcTime, parse_time, render_time, require_utc, system_clock
from entrepot.values.codes import (
    DataType,
    NodeType,
    check_character,
    contract_code,
    data_code,
    is_checked,
    is_citizen_id,
    is_social_credit_code,
    node_code,
)
from entrepot.values.digest import Digest, parse_digest, render_digest, sha256
from entrepot.values.errors import (
    ConflictError,
    EntrepotError,
    MalformedError,
    NotFoundError,
    ProtocolError,
    RefusedError,
    TooLargeError,
    TransitionError,
    TrustError,
    UnavailableError,
)
from entrepot.values.header import header_fields
from entrepot.values.ids import (
    AgreementId,
    ContractId,
    Did,
    KeyId,
    MessageId,
    OfferId,
    ProcessId,
    ProductId,
    TransactionId,
    UseId,
)
from entrepot.values.log import FACTS, Log
from entrepot.values.money import Money
from entrepot.values.naming import named
from entrepot.values.sensitivity import FORMATS, Grade, KindOfUse

__all__ = [
    "FACTS",
    "FORMATS",
    "AgreementId",
    "Clock",
    "ConflictError",
    "ContractId",
    "DataType",
    "Did",
    "Digest",
    "EntrepotError",
    "Grade",
    "KeyId",
    "KindOfUse",
    "Log",
    "MalformedError",
    "MessageId",
    "Money",
    "NodeType",
    "NotFoundError",
    "OfferId",
    "ProcessId",
    "ProductId",
    "ProtocolError",
    "RefusedError",
    "TooLargeError",
    "TransactionId",
    "TransitionError",
    "TrustError",
    "UnavailableError",
    "UseId",
    "UtcTime",
    "canonical",
    "check_character",
    "contract_code",
    "data_code",
    "header_fields",
    "is_checked",
    "is_citizen_id",
    "is_social_credit_code",
    "named",
    "node_code",
    "origin_of",
    "parse_digest",
    "parse_time",
    "render_digest",
    "render_time",
    "require_utc",
    "sha256",
    "system_clock",
]
