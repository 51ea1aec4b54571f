"""What the runner has to know of one role that our connector plays in a suite."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the connector under test listens, and where the suite does; both on 127.0.0.1."""

    connector: int
    suite: int


@dataclass(frozen=True, slots=True)
class Role:
    """One role in one suite."""

    name: str
    """As the last lines of a run say it."""
    tests: int
    """How many tests of this role the release in `pom` has switched on; a run of fewer proves less."""
    pom: str
    """Names the release of the suite, and so its jars; empty where no registry has any."""
    packages: tuple[str, ...]
    """Where the suite keeps the tests of this role."""
    connector: str
    """The script that starts the connector under test: `SCRIPT --port N --suite-port N FOLDER`."""
    arguments: tuple[str, ...]
    """What the script is told beside that for the release in `pom`; newer ones are run without it."""
    ports: Ports
    """Where both listen if nobody says otherwise; a run takes free ones."""
    properties: Callable[[Ports], Mapping[str, str]]
    """The suite's settings."""
