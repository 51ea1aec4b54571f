"""What this package writes into the audit trail."""

from enum import StrEnum


class Event(StrEnum):
    MOVED = "contract:negotiation:move"
    FILED = "contract:contract:file"
    ENDED = "contract:contract:end"
