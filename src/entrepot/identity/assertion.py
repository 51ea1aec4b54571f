"""Who is a client: a token that it has signed to prove itself, as OAuth clients do.

Unlike a self-issued identity token it may be signed with any key of the client's DID document (Token Renewal
profile of Data Plane Signaling 1.0-RC3, Client Authentication).
"""

from entrepot.identity.did import DidDocument
from entrepot.identity.jwt import (
    Token,
    check_times,
    check_token_signature,
    did_claim,
    text_claim,
    time_claim,
)
from entrepot.identity.presentation import LONGEST, Caller
from entrepot.values import MalformedError, TrustError, UtcTime


def verify_assertion(token: Token, document: DidDocument, audience: str, now: UtcTime) -> Caller:
    """Turn a client's token into its caller, or raise `TrustError` (Provider Request Validation).

    **The caller of this function must still let each `jti` pass only once (`use_once`).**
    """
    client = did_claim(token, "iss")  # (1) issuer and subject are the client
    if did_claim(token, "sub") != client or document.id != client:
        raise TrustError("the token's issuer is not its subject")
    key = (
        None if token.key_id is None else document.keys.get(token.key_id)
    )  # (2) signed by a key of its document
    if key is None:
        raise TrustError("the token is signed by a key that the DID document does not list")
    check_token_signature(token, key)  # (3) and the signature holds
    if text_claim(token, "aud") != audience:  # (4) meant for us
        raise TrustError("the token is meant for somebody else")
    check_times(token, now)  # (5) inside its time
    expires = time_claim(token, "exp")
    if expires is None or expires > now + LONGEST:
        raise TrustError(f"the token lives longer than {LONGEST}")
    jti = text_claim(token, "jti")  # (6) with an id of its own
    if len(jti) > 200:
        raise MalformedError("jti: expected at most 200 characters")
    return Caller(client, jti, expires, text_claim(token, "token"))  # (7) about an access token
