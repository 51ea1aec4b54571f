"""How strictly others are held to DCP 1.0.

Strict is what every node is. The other profile is what the official suite demanded in its release
1.0.0-RC6, whose parties list no key relations and break their own data model; it serves to be tested by it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
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
        """The form that a message means by this name."""
        return next((form for form, called in self.formats.items() if called == name), None)


STRICT: Final = DcpProfile()
INSECURE_RC6: Final = DcpProfile(
    insecure_any_key=True,
    insecure_shape=True,
    refuses_wider_scopes=True,
    formats=MappingProxyType({CredentialForm.VC11: "VC1_0_JWT", CredentialForm.VC20: "VC2_0_JOSE"}),
)
