"""Schemas of credentials: what the claims of a type must look like (W3C VC JSON Schema).

A schema is a stranger's bytes: it is bounded, fetches nothing, and its patterns run in linear time.
"""

from typing import Final, Protocol

import msgspec

from entrepot.identity.credential import Credential, Schema
from entrepot.values import MalformedError, TooLargeError, TrustError

MAX_SCHEMA: Final = 64 << 10


class Validator(Protocol):
    """A schema that was read."""

    def is_valid(self, instance: object) -> bool: ...


def read_schema(raw: bytes) -> Validator:
    """Read a JSON schema of draft 4 or later; one that refers to others is refused."""
    import jsonschema_rs  # few credentials name a schema, and it takes 5 MB

    if len(raw) > MAX_SCHEMA:
        raise TooLargeError(f"a schema of more than {MAX_SCHEMA} bytes")
    try:
        schema = msgspec.json.decode(raw)
        return jsonschema_rs.validator_for(schema, offline=True, pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, RecursionError) as error:
        raise MalformedError("expected a JSON schema that refers to no other") from error


def check_claims(credential: Credential, schema: Schema, validator: Validator) -> None:
    """Check that a credential keeps to its schema; the reason does not say what the claims are."""
    subject = {"id": credential.subject, **credential.claims}
    if not validator.is_valid(subject if schema.of_subject else {**credential.body}):
        raise TrustError("the credential breaks the schema that it names")
