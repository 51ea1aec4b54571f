"""A process that takes uses from a counter with several threads, and prints how many it got.

python taker.py ADDRESS AGREEMENT LIMIT CALLS
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from entrepot.journal import Journal
from entrepot.policy import Charge, CounterKind, reserve
from entrepot.values import AgreementId


def main(address: str, agreement: str, limit: str, calls: str) -> None:
    charges = (Charge(0, CounterKind.TOTAL, int(limit)),)
    with Journal.open(address) as journal, ThreadPoolExecutor(8) as callers:
        answers = callers.map(
            lambda _: journal.write_now(lambda tx: reserve(tx, AgreementId(agreement), charges)),
            range(int(calls)),
        )
        print(sum(answers))


if __name__ == "__main__":
    main(*sys.argv[1:])
