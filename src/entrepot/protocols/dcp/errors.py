"""What can go wrong here alone.

EntrepotError
└── UnsupportedQueryError   a query in a way that the standard lets a service leave out   (501)
"""

from entrepot.values import EntrepotError


class UnsupportedQueryError(EntrepotError):
    """A query by presentation definition (DCP 1.0, 5.4.1.1: 501 where it is not supported)."""

    status = 501

    def remedy(self) -> str:
        return "Ask by scope."
