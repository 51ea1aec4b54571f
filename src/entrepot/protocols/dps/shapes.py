"""What the endpoints of Data Plane Signaling take and give, in our own words (1.0-RC3)."""

from typing import Any, Final

from entrepot.protocols.route import Content, Shape
from entrepot.use.flow.model import FlowState

_ID: Final = {"type": "string", "minLength": 1, "maxLength": 500}
_WORDS: Final = {"type": "string"}
_ADDRESS: Final = {
    "type": "object",
    "properties": {
        "endpoint": _WORDS,
        "endpointType": _WORDS,
        "endpointProperties": {"type": "array", "items": {"type": "object"}},
    },
}
_STATE: Final = {"enum": [str(s) for s in FlowState]}
_ORDERED: Final = (
    "messageId processId participantId counterPartyId datasetId agreementId profile".split()  # noqa: SIM905
)


def _object(required: list[str], **properties: Any) -> dict[str, Any]:  # noqa: ANN401 (JSON schemas)
    return {"type": "object", "required": required, "properties": properties}


_STATUS: Final = Content(
    _object(
        ["messageId", "dataFlowId", "state"],
        messageId=_ID,
        dataFlowId=_ID,
        state=_STATE,
        dataAddress=_ADDRESS,
        error=_WORDS,
    )
)
_SAID: Final = _object([], messageId=_ID, dataAddress=_ADDRESS, reason=_WORDS)
_GRANTED: Final = _object(
    ["access_token", "token_type", "expires_in", "refresh_token"],
    access_token=_ID,
    token_type={"const": "Bearer"},
    expires_in={"type": "integer"},
    refresh_token=_ID,
)
_NOT_GRANTED: Final = (Content(_object(["error"], error=_WORDS)),)

ORDER: Final = Shape(
    {200: (_STATUS,), 202: (_STATUS,)},
    Content(_object(_ORDERED, **dict.fromkeys(_ORDERED, _ID), dataAddress=_ADDRESS)),
)
WORD: Final = Shape({200: (_STATUS,), 202: (_STATUS,)}, Content(_SAID, optional=True))
STATUS: Final = Shape({200: (Content(_object(["dataFlowId", "state"], dataFlowId=_ID, state=_STATE)),)})
RENEWAL: Final = Shape(
    {200: (Content(_GRANTED),)},
    Content(
        _object(["grant_type", "refresh_token"], grant_type={"const": "refresh_token"}, refresh_token=_ID),
        "application/x-www-form-urlencoded",
    ),
    fails={400: _NOT_GRANTED, 401: _NOT_GRANTED},
)
CALLBACK: Final = Shape(
    {200: (Content({"type": "object"}),)},
    Content(_object([], dataFlowId=_ID, state=_STATE, dataAddress=_ADDRESS, error=_WORDS), optional=True),
)
AGREEMENT: Final = Shape({200: (Content({"type": "object"}),)})
