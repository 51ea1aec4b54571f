"""The figures of a node: there, readable by a machine, and naming nobody."""

import importlib.util
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

_SPEC = importlib.util.spec_from_file_location("house", Path(__file__).with_name("house.py"))
assert _SPEC is not None
assert _SPEC.loader is not None
the_house = sys.modules.setdefault("house", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(the_house)

from entrepot.node.metrics import figures  # noqa: E402 (after the house is loaded)


def test_the_figures_say_how_a_node_stands_and_name_nobody(tmp_path: Path) -> None:
    """An operator would learn of a stuck outbox from its users; or figures would tell who does what."""
    house = the_house.House(tmp_path)
    try:
        node = house.homes["provider"].node
        text = node.journal.read_now(lambda c: figures(c, node)).decode()
    finally:
        house.close()
    found = {m.name: m for m in text_string_to_metric_families(text)}

    assert {
        "entrepot_outbox_messages",
        "entrepot_outbox_overdue_seconds",
        "entrepot_records_unanchored_seconds",
        "entrepot_status_list_age_seconds",
        "entrepot_uses",
    } <= found.keys()
    assert found["entrepot_status_list_age_seconds"].samples[0].value == pytest.approx(-1)
    assert "did:" not in text
