"""When what an issuer or a holder did not take is tried again, and when it is given up."""

from collections.abc import Callable
from datetime import timedelta
from typing import Final

from entrepot.journal import Journal, OutboxMessage, Transaction, postpone, settle
from entrepot.values import EntrepotError, UnavailableError, UtcTime

_FIRST: Final = timedelta(milliseconds=500)
_LONGEST: Final = timedelta(minutes=10)
_DOUBLINGS: Final = 12


async def try_again_or(
    journal: Journal,
    message: OutboxMessage,
    now: UtcTime,
    error: EntrepotError,
    give_up: Callable[[Transaction], object],
) -> None:
    """Postpone a message whose party cannot answer now; give it up when it said no, or the time is over."""

    def later(tx: Transaction) -> None:
        pause = min(_FIRST * (1 << min(message.attempts - 1, _DOUBLINGS)), _LONGEST)
        postpone(tx, message.id, now + pause)

    def end(tx: Transaction) -> None:
        settle(tx, message.id)
        give_up(tx)

    is_final = not isinstance(error, UnavailableError) or now >= message.deadline
    await journal.write(end if is_final else later)
