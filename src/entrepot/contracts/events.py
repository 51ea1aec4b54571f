"""What this package writes into the audit trail."""

from enum import StrEnum


class Event(StrEnum):
    MOVED = "contract:negotiation:move"
    FILED = "contract:contract:file"
    VOUCHED = "contract:contract:vouch"
    ENDED = "contract:contract:end"
    ASKED = "contract:request:take"
    SERVICE_SIGNED = "contract:request:sign"
    SERVICE_REFUSED = "contract:request:refuse"
    WITHDRAWN = "contract:request:withdraw"
