"""How strictly others are held to DCP 1.0.

Strict is what every node is whose owner says nothing else. `IDENTITY_HUB` is for those who keep their
credentials in Eclipse's IdentityHub or have them of its IssuerService: what these write beside the standards
is taken (docs/decisions/0013). `INSECURE_RC6` is what the official suite demanded in its release 1.0.0-RC6,
whose parties list no key relations and break their own data model; it serves to be tested by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from entrepot.identity import CredentialForm, DidDocument

RELATIONS: Final = ("authentication", "capabilityInvocation", "assertionMethod")


@dataclass(frozen=True, slots=True)
class DcpProfile:
    """What is asked of the documents, credentials and messages of others."""

    insecure_any_key: bool = False
    """A document that says of no key what it is for lets each be used for everything."""
    insecure_shape: bool = False
    """A credential may lack its context and base type, and name itself in `sub`."""
    insecure_lists: bool = False
    """A status list may be shorter than the standards allow, and no credential by its type."""
    unbound_presentations: bool = False
    """A presentation of the newer form may name no reader and no end, and lie in one more envelope."""
    refuses_wider_scopes: bool = False
    """Who asks for more than was granted is refused; else the rest is left out (5.4.1.2)."""
    formats: Mapping[CredentialForm, str] = field(
        default_factory=lambda: MappingProxyType({form: form.value for form in CredentialForm})
    )
    """What the forms of credentials are called in messages."""

    def read(self, document: DidDocument) -> DidDocument:
        """The document as this profile takes it."""
        if not self.insecure_any_key or any(document.relations.get(name) for name in RELATIONS):
            return document
        every = frozenset(document.keys)
        return replace(document, relations={**document.relations, **dict.fromkeys(RELATIONS, every)})

    def form_of(self, name: str) -> CredentialForm | None:
        """The form that a message means by this name; the standard's own are always known."""
        return next((form for form in CredentialForm if name in {form.value, self.formats[form]}), None)


class ProfileName(StrEnum):
    """The profiles that an owner may choose."""

    STRICT = "strict"
    IDENTITY_HUB = "identity-hub"


_OLDER_FORMATS: Final = MappingProxyType(
    {CredentialForm.VC11: "VC1_0_JWT", CredentialForm.VC20: "VC2_0_JOSE"}
)
STRICT: Final = DcpProfile()
IDENTITY_HUB: Final = DcpProfile(
    insecure_any_key=True,
    insecure_lists=True,
    unbound_presentations=True,
    formats=_OLDER_FORMATS,  # releases of 2026 read the standard's names too, older ones these alone
)
PROFILES: Final = MappingProxyType({ProfileName.STRICT: STRICT, ProfileName.IDENTITY_HUB: IDENTITY_HUB})
INSECURE_RC6: Final = DcpProfile(
    insecure_any_key=True,
    insecure_shape=True,
    refuses_wider_scopes=True,
    formats=_OLDER_FORMATS,
)
