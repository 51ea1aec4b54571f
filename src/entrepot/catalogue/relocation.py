"""Resources whose files have moved: a restored node finds them again by what they hold."""

from collections.abc import Callable
from pathlib import Path

from entrepot.catalogue import store
from entrepot.catalogue.artefact_file import measure
from entrepot.catalogue.model import Resource
from entrepot.journal import Transaction
from entrepot.values import EntrepotError


def relocate_resources(tx: Transaction, place: Callable[[Path], Path]) -> list[Resource]:
    """Look for each file where `place` says it is now; gives those that are not there as they were.

    Every file is read once, so **not while the node runs**.
    """
    lost = []
    for known in store.every_resource(tx.connection):
        try:
            found = measure(place(known.path), known.media_type, known.id)
        except (OSError, EntrepotError):
            lost.append(known)
            continue
        if found.digest == known.digest:
            store.move_resource(tx, found)
        else:
            lost.append(known)
    return lost
