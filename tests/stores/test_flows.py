"""What the tables of planes and data flows promise, on whichever database they stand."""

from dataclasses import replace

import pytest

from entrepot.contracts import Party
from entrepot.journal import Journal
from entrepot.policy import Policy, Rule
from entrepot.use.flow import store
from entrepot.use.flow.model import HTTP_PULL, Flow, FlowState, Opening, Order, Plane, PlaneKind
from entrepot.values import AgreementId, ConflictError, ProcessId, ProductId, UseId

CONTROL = Plane(
    "theirs", PlaneKind.CONTROL, "https://control.example", participant="did:web:us", shows=b"d" * 32
)
LAKE = Plane("lake", PlaneKind.DATA, "https://lake.example", (HTTP_PULL, "HttpData-PUSH"), sealed=b"sealed")
GIVEN = Opening("theirs", "d", ProductId("p"), Policy(permissions=(Rule("use"),)), by_hand=True, id="one")
TAKEN = Opening("theirs", "e", most_bytes=2**53 - 1, id="two")
ORDER = Order("p" * 200, "did:web:us", "did:web:them", "d", "their agreement", HTTP_PULL)
FLOW = Flow(ProcessId("urn:uuid:1"), "theirs", ORDER, Party.PROVIDER, FlowState.STARTING, AgreementId("a"))


class FlowsContract:
    """What every such store promises. Subclasses provide `journal`."""

    def test_planes_and_openings_come_back_as_they_were_kept(self, journal: Journal) -> None:
        """What the owner has said of a plane decides whom it lets in."""
        for plane in (CONTROL, LAKE):
            journal.write_now(lambda tx, p=plane: store.keep_plane(tx, p))  # type: ignore[misc]  # bound in the loop
        for opening in (GIVEN, TAKEN):
            journal.write_now(lambda tx, o=opening: store.keep_opening(tx, o))  # type: ignore[misc]  # bound in the loop

        assert journal.read_now(store.planes) == [CONTROL, LAKE]
        assert journal.read_now(lambda c: store.openings(c, "theirs")) == [GIVEN, TAKEN]
        assert journal.read_now(lambda c: store.plane_showing(c, PlaneKind.CONTROL, b"d" * 32)) == CONTROL
        assert journal.read_now(lambda c: store.plane_showing(c, PlaneKind.DATA, b"d" * 32)) is None

    def test_a_plane_that_is_registered_again_takes_the_place_of_the_first(self, journal: Journal) -> None:
        """Registration has the semantics of replacement: an old token must not stay good."""
        journal.write_now(lambda tx: store.keep_plane(tx, CONTROL))
        journal.write_now(lambda tx: store.keep_plane(tx, replace(CONTROL, shows=b"e" * 32)))

        assert journal.read_now(lambda c: store.plane_showing(c, PlaneKind.CONTROL, b"d" * 32)) is None

    def test_the_second_writer_of_a_flow_is_told(self, journal: Journal) -> None:
        """Two words that cross: the later one gets a conflict, not a lost state."""
        journal.write_now(lambda tx: store.create(tx, FLOW))
        moved = replace(FLOW, state=FlowState.STARTED, epoch=1, since=1, refresh_digest=b"r" * 32, version=1)
        journal.write_now(lambda tx: store.save(tx, moved))
        with pytest.raises(ConflictError):
            journal.write_now(lambda tx: store.save(tx, moved))

        assert journal.read_now(lambda c: store.read(c, FLOW.id)) == moved
        assert journal.read_now(lambda c: store.find_by_process(c, "theirs", "p" * 200)) == moved
        assert journal.read_now(lambda c: store.find_by_refresh(c, b"r" * 32)) == moved
        assert journal.read_now(store.unfinished) == [moved]

    def test_what_runs_elsewhere_is_known_by_its_process(self, journal: Journal) -> None:
        """A use that another data plane carries is closed when it stops, not sooner."""
        process = ProcessId("urn:uuid:ours")
        journal.write_now(lambda tx: store.drive(tx, process, "lake", FlowState.STARTING, UseId("")))
        before = journal.read_now(lambda c: store.is_running(c, process))
        journal.write_now(lambda tx: store.move_driven(tx, process, "theirs", FlowState.STARTED, UseId("u")))

        assert (before, journal.read_now(lambda c: store.is_running(c, process))) == (False, True)


class TestSqlite(FlowsContract):
    @pytest.fixture
    def journal(self, sqlite_journal: Journal) -> Journal:
        return sqlite_journal


class TestPostgresql(FlowsContract):
    @pytest.fixture
    def journal(self, postgresql_journal: Journal) -> Journal:
        return postgresql_journal
