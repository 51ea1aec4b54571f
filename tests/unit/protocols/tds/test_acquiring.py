"""An acquisition that two hands go on with at once: what is over stays over."""

from pathlib import Path

import pytest
from entrepot_space_world import ALICE, BOB
from entrepot_tds_net import Net, url_of

from entrepot import contracts, use
from entrepot.catalogue import offering_of
from entrepot.protocols import dsp
from entrepot.use import AcquisitionState
from entrepot.values import ConflictError, UseId


def test_who_was_late_to_find_the_contract_does_not_revive_what_failed(net: Net, tmp_path: Path) -> None:
    """A person was told that it failed; the use would be made, and counted, all the same."""
    net.contract()
    product, bob = net.world.product(), net.node(BOB)
    begun = bob.journal.write_now(lambda tx: use.acquisition.begin(tx, product.id, None, tmp_path / "data"))
    bob.journal.write_now(lambda tx: use.acquisition.fail(tx, begun, "a person had enough"))
    address = url_of(ALICE) + dsp.PATH

    with pytest.raises(ConflictError):
        bob.journal.write_now(
            lambda tx: use.acquisition.found(tx, bob.desk, bob.rail, begun, offering_of(product), address)
        )

    assert bob.journal.read_now(lambda c: use.acquisition.read(c, begun.id)).state is AcquisitionState.FAILED
    assert bob.journal.read_now(use.process.processes) == []
    assert len(bob.journal.read_now(contracts.negotiations)) == 1


@pytest.mark.parametrize("over", [AcquisitionState.FAILED, AcquisitionState.RECEIVED])
def test_nothing_follows_on_an_end(net: Net, tmp_path: Path, over: AcquisitionState) -> None:
    """What failed would be said to have come, or what came to have failed."""
    bob, product = net.node(BOB), net.world.product()
    begun = bob.journal.write_now(lambda tx: use.acquisition.begin(tx, product.id, None, tmp_path / "data"))
    of = UseId("urn:uuid:u")
    if over is AcquisitionState.FAILED:
        ended = bob.journal.write_now(lambda tx: use.acquisition.fail(tx, begun, "no"))
    else:
        ended = bob.journal.write_now(lambda tx: use.acquisition.received(tx, begun, of))

    with pytest.raises(ConflictError, match=over):
        bob.journal.write_now(lambda tx: use.acquisition.received(tx, ended, of))
    with pytest.raises(ConflictError, match=over):
        bob.journal.write_now(lambda tx: use.acquisition.fail(tx, ended, "no"))
