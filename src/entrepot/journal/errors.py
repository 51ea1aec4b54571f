"""What can go wrong with a journal.

UnavailableError             it was not written down: nothing has happened                  (503)
└── OutcomeUnknownError      the database was lost at COMMIT, and it may have happened      (503)
"""

from entrepot.values import UnavailableError


class OutcomeUnknownError(UnavailableError):
    """Whether it was written down could not be learned; what it allows must not be done."""

    def remedy(self) -> str:
        return "Look whether it happened before you ask for it again: a repeat could do it twice."
