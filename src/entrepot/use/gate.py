"""The gate: every use of data enters and leaves here, whatever its kind.

    admit   who asks?  what was promised?  may this happen?  reserve.  write down that it opened.
    settle  what came out?  charge or release.  write down how it ended.  meter.

Between the two lies the use itself; it begins when `admit` is durable, not before. The gate makes no
network call. What each step looks at is in `steps.py`.
"""

from entrepot.journal import Transaction
from entrepot.use import steps
from entrepot.use.model import NOTHING, Admitted, Cleared, Denied, House, Knock, Outcome, Spent, Use
from entrepot.values import UseId


def admit(tx: Transaction, knock: Knock, house: House) -> Admitted | Denied:
    """Let one use begin, or say why not. A denial is an audit event, never a record."""
    door = steps.identify(tx, knock)
    if door is None:
        return Denied(("no door opens to this token",), known=False)
    contract = steps.find_agreement(tx, door)
    if contract is None:
        return Denied(("there is no agreement behind this door",), known=False)
    live = steps.find_live_use(tx, door, knock)
    found = steps.decide(tx, house, knock, door, contract, resumed=live is not None)
    if not isinstance(found, Cleared):
        return steps.deny(tx, door, found)
    if live is not None:
        return Admitted(steps.resume(tx, house, live), contract)
    if not steps.reserve(tx, contract, found.decision):
        return steps.deny(tx, door, Denied(("the last use was taken by another call",)))
    return Admitted(steps.open_use(tx, house, door, contract, found), contract)


def settle(
    tx: Transaction, house: House, use_id: UseId, outcome: Outcome, spent: Spent = NOTHING
) -> Use | None:
    """Write down how a use went on or ended. None where it was closed before: a use is closed once."""
    use = steps.find_use(tx, use_id)
    if use is None:
        return None
    checked = steps.check_output(use, outcome, spent)
    if checked is Outcome.REFUSED:
        steps.release(tx, use)
    use = steps.write_down(tx, house, use, checked, spent)
    steps.meter(tx, use, checked)
    return use
