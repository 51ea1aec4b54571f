"""Who is this, and how do we know? Keys, DIDs, credentials, status lists, tokens."""

from entrepot.identity.did import DidDocument, did_url, did_web, read_did_document, write_did_document
from entrepot.identity.jwt import Token, parse_token, sign_token
from entrepot.identity.keys import (
    SUITES,
    KeyJob,
    PublicKey,
    Signer,
    from_base64url,
    to_base64url,
    verify_signature,
)
from entrepot.identity.membership import Membership, issue_membership, verify_membership
from entrepot.identity.presentation import (
    Caller,
    claimed_did,
    issue_id_token,
    issue_presentation,
    use_once,
    verify_id_token,
    verify_presentation,
)
from entrepot.identity.receiving import Receiver, key_for
from entrepot.identity.standing import (
    Standing,
    StandingState,
    known_credential,
    known_dids,
    known_member,
    newest_status_list,
    remember_membership,
    remember_status_list,
    standing,
)
from entrepot.identity.status import ENTRIES, StatusList, issue_status_list, verify_status_list
from entrepot.identity.vault import Vault

__all__ = [
    "ENTRIES",
    "SUITES",
    "Caller",
    "DidDocument",
    "KeyJob",
    "Membership",
    "PublicKey",
    "Receiver",
    "Signer",
    "Standing",
    "StandingState",
    "StatusList",
    "Token",
    "Vault",
    "claimed_did",
    "did_url",
    "did_web",
    "from_base64url",
    "issue_id_token",
    "issue_membership",
    "issue_presentation",
    "issue_status_list",
    "key_for",
    "known_credential",
    "known_dids",
    "known_member",
    "newest_status_list",
    "parse_token",
    "read_did_document",
    "remember_membership",
    "remember_status_list",
    "sign_token",
    "standing",
    "to_base64url",
    "use_once",
    "verify_id_token",
    "verify_membership",
    "verify_presentation",
    "verify_signature",
    "verify_status_list",
    "write_did_document",
]
