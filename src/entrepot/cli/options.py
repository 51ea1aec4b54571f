"""What most commands share: where the node is, how the answer is written, and the way to the node."""

from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import quote

from cyclopts import Parameter
from cyclopts.validators import Number

Node = Annotated[Path, Parameter(name="--node", help="Folder of the node.")]
Json = Annotated[bool, Parameter(name="--json", negative="", help="Answer in JSON.")]
Limit = Annotated[
    int, Parameter(name="--limit", validator=Number(gte=0), help="Only so many, the newest; 0 for all.")
]
HERE: Final = Path()


def client(node: Path) -> Any:  # noqa: ANN401 (imported late, so that help stays instant)
    """The way to the node in a folder, through its owner's port."""
    from entrepot.cli.client import OwnerClient

    return OwnerClient(node)


def read_object(path: Path) -> dict[str, Any]:
    """A file that holds one JSON object."""
    import msgspec

    from entrepot.values import MalformedError

    try:
        said = msgspec.json.decode(path.read_bytes())
    except (OSError, msgspec.DecodeError) as error:
        raise MalformedError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(said, dict):
        raise MalformedError(f"{path}: expected an object")
    return said


def quoted(name: str) -> str:
    """A name as one segment of a path: a DID holds percent signs of its own."""
    return quote(name, safe="")
