"""What can go wrong here alone.

EntrepotError
├── TrustError
│   └── RevokedError        a credential was revoked or suspended by its issuer            (401)
└── UnsupportedQueryError   a query in a way that the standard lets a service leave out   (501)
"""

from entrepot.values import EntrepotError, TrustError


class UnsupportedQueryError(EntrepotError):
    """A query by presentation definition (DCP 1.0, 5.4.1.1: 501 where it is not supported)."""

    status = 501

    def remedy(self) -> str:
        return "Ask by scope."


class RevokedError(TrustError):
    """A credential was revoked or suspended by its issuer."""

    def __init__(self, why: str, revoked: tuple[str, ...] = ()) -> None:
        super().__init__(why)
        self.revoked = revoked
        """The credentials, as they were signed."""
