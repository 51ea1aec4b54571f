"""What can go wrong in a space.

TrustError
└── InvitationError      the code is unknown, used by another, or its time is over          (401)
ConflictError
└── FilingConflictError  the contract id stands for something else already                  (409)
"""

from entrepot.values import ConflictError, TrustError


class InvitationError(TrustError):
    """The invitation does not admit this applicant."""

    def remedy(self) -> str:
        return "Ask the operator of the space for a new invitation."


class FilingConflictError(ConflictError):
    """What is filed or given under this name is something else."""

    def remedy(self) -> str:
        return "Ask the platform for a contract id of its own; one id names one contract for ever."
