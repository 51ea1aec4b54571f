"""The revisions of the schema, which a starting node reads from the names of their files alone."""

from pathlib import Path

from alembic.script import ScriptDirectory

from entrepot.journal import schema


def test_the_files_are_numbered_in_alembics_order() -> None:
    """A node would refuse its own database, or take one that a later version had made."""
    steps = ScriptDirectory(str(Path(schema.__file__).with_name("migrations"))).walk_revisions()

    assert schema.revisions() == tuple(step.revision for step in steps)[::-1]
