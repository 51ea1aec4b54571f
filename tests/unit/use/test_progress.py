"""How much has come of a delivery: what every worker of a node says alike."""

from pathlib import Path

import pytest

from entrepot.use import Acquisition, AcquisitionState, received_so_far
from entrepot.values import ProductId


@pytest.mark.parametrize(
    ("state", "on_disk", "told"),
    [
        (AcquisitionState.NEGOTIATING, None, 0),
        (AcquisitionState.FETCHING, 40, 40),
        (AcquisitionState.FETCHING, 116, 100),  # sealed, what travels is longer than what is inside
        (AcquisitionState.RECEIVED, None, 100),
    ],
)
def test_what_has_come_is_read_from_the_disk(
    tmp_path: Path, state: AcquisitionState, on_disk: int | None, told: int
) -> None:
    """The worker that is asked is seldom the one that fetches; what it remembers would be nothing."""
    target = tmp_path / "data.csv"
    if on_disk is not None:
        target.with_name("data.csv.part").write_bytes(bytes(on_disk))
    acquisition = Acquisition("a", ProductId("6P"), None, target, state=state, size=100)

    assert received_so_far(acquisition) == told
