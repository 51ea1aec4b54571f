"""Who is this, and how do we know? Keys, DIDs, credentials, status lists, tokens."""

from entrepot.identity.assertion import verify_assertion
from entrepot.identity.credential import (
    Credential,
    CredentialForm,
    Schema,
    StatusEntry,
    claimed_issuer,
    read_credential,
    verify_credential,
)
from entrepot.identity.did import DidDocument, did_url, did_web, read_did_document, write_did_document
from entrepot.identity.issuing import issue_credential
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
from entrepot.identity.membership import Membership, issue_membership, membership_in, verify_membership
from entrepot.identity.presentation import (
    Caller,
    Presentation,
    claimed_did,
    issue_id_token,
    issue_presentation,
    use_once,
    verify_id_token,
    verify_presentation,
)
from entrepot.identity.receiving import Receiver, key_for
from entrepot.identity.schema import MAX_SCHEMA, Validator, check_claims, read_schema
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
    "MAX_SCHEMA",
    "SUITES",
    "Caller",
    "Credential",
    "CredentialForm",
    "DidDocument",
    "KeyJob",
    "Membership",
    "Presentation",
    "PublicKey",
    "Receiver",
    "Schema",
    "Signer",
    "Standing",
    "StandingState",
    "StatusEntry",
    "StatusList",
    "Token",
    "Validator",
    "Vault",
    "check_claims",
    "claimed_did",
    "claimed_issuer",
    "did_url",
    "did_web",
    "from_base64url",
    "issue_credential",
    "issue_id_token",
    "issue_membership",
    "issue_presentation",
    "issue_status_list",
    "key_for",
    "known_credential",
    "known_dids",
    "known_member",
    "membership_in",
    "newest_status_list",
    "parse_token",
    "read_credential",
    "read_did_document",
    "read_schema",
    "remember_membership",
    "remember_status_list",
    "sign_token",
    "standing",
    "to_base64url",
    "use_once",
    "verify_assertion",
    "verify_credential",
    "verify_id_token",
    "verify_membership",
    "verify_presentation",
    "verify_signature",
    "verify_status_list",
    "write_did_document",
]
