"""Writing credentials: each form as its standard wants it (see `credential` for what they say)."""

from typing import Final

from entrepot.identity.credential import BASE, OF_SUBJECT, Credential, CredentialForm, StatusEntry
from entrepot.identity.jwt import sign_token
from entrepot.identity.keys import Signer
from entrepot.values import UtcTime
from entrepot.values.canonical import Json


def issue_credential(signer: Signer, credential: Credential) -> str:
    """Write and sign a credential in its form; times are of whole seconds."""
    return _ISSUE[credential.form](signer, credential)


def _issue_vc20(signer: Signer, credential: Credential) -> str:
    times: dict[str, Json] = {}
    claims: dict[str, Json] = {"iss": credential.issuer, "sub": credential.subject}
    if credential.valid_from is not None:
        times["validFrom"], claims["iat"] = _written(credential.valid_from)
    if credential.valid_until is not None:
        times["validUntil"], claims["exp"] = _written(credential.valid_until)
    return sign_token(signer, claims | times | _common(credential), "vc+jwt", "vc")


def _issue_vc11(signer: Signer, credential: Credential) -> str:
    times: dict[str, Json] = {}
    claims: dict[str, Json] = {"iss": credential.issuer, "sub": credential.subject}
    if credential.id:
        claims["jti"] = credential.id
    if credential.valid_from is not None:
        times["issuanceDate"], claims["nbf"] = _written(credential.valid_from)
        claims["iat"] = claims["nbf"]
    if credential.valid_until is not None:
        times["expirationDate"], claims["exp"] = _written(credential.valid_until)
    return sign_token(signer, claims | {"vc": times | _common(credential)})


_ISSUE: Final = {CredentialForm.VC20: _issue_vc20, CredentialForm.VC11: _issue_vc11}


def _common(credential: Credential) -> dict[str, Json]:
    """What both forms write alike."""
    contexts: list[Json] = [credential.form.context]
    if credential.status and credential.form is CredentialForm.VC11:
        contexts.append("https://w3id.org/vc/status-list/2021/v1")
    body: dict[str, Json] = {
        "@context": contexts,
        "type": [BASE, *credential.types],
        "issuer": credential.issuer,
        "credentialSubject": {"id": credential.subject, **credential.claims},
    }
    if credential.id:
        body["id"] = credential.id
    if credential.status:
        body["credentialStatus"] = [_status_entry(credential.form, entry) for entry in credential.status]
    if credential.schemas:
        body["credentialSchema"] = [
            {"id": s.url, "type": OF_SUBJECT if s.of_subject else "JsonSchema"} for s in credential.schemas
        ]
    return body


def _status_entry(form: CredentialForm, entry: StatusEntry) -> Json:
    return {
        "id": f"{entry.url}#{entry.index}",
        "type": form.status_type,
        "statusPurpose": entry.purpose,
        "statusListCredential": entry.url,
        "statusListIndex": str(entry.index),
    }


def _written(time: UtcTime) -> tuple[str, int]:
    whole = time.replace(microsecond=0)
    return whole.isoformat().replace("+00:00", "Z"), int(whole.timestamp())
