"""Transfer processes: the doors through which data is used, shut for now, opened again, or ended."""

from typing import Any, Final

from cyclopts import App

from entrepot.cli.options import HERE, Json, Limit, Node, client, quoted
from entrepot.cli.output import Exit, called, show, table

process: Final = App(name="process", help="The doors that are open under my contracts.")


@process.command(name="list")
def list_processes(*, limit: Limit = 0, node: Node = HERE, json: Json = False) -> int:
    """List transfer processes, the newest first, and why those that are shut were shut.

    Example: entrepot process list --node clinic
    """
    rows = client(node).every("/owner/processes", "processes", limit)
    columns = ("id", "as", "with", "title", "format", "state", "problem")
    show(rows, as_json=json, text=table(called(rows), columns, "No use has been opened yet."))
    return Exit.DONE


@process.command
def suspend(process_id: str, *, why: str = "", node: Node = HERE, json: Json = False) -> int:
    """Shut a door for now: what runs is cut within a second, and its token opens nothing any more.

    Example: entrepot process suspend urn:uuid:... --why "maintenance until Monday" --node clinic

    Args:
        process_id: The process, as `process list` shows it.
        why: What the other side is told.
    """
    return _moved(process_id, "suspend", {"reason": why}, node, as_json=json)


@process.command
def resume(process_id: str, *, node: Node = HERE, json: Json = False) -> int:
    """Open a suspended process again, with a new token; a delivery goes on where it was.

    Example: entrepot process resume urn:uuid:... --node clinic
    """
    return _moved(process_id, "resume", None, node, as_json=json)


@process.command
def stop(process_id: str, *, why: str = "", node: Node = HERE, json: Json = False) -> int:
    """End a process. Its contract goes on; `entrepot contract stop` ends that.

    Example: entrepot process stop urn:uuid:... --why "no longer needed" --node lab

    Args:
        process_id: The process, as `process list` shows it.
        why: What the other side is told.
    """
    return _moved(process_id, "terminate", {"reason": why}, node, as_json=json)


def _moved(process_id: str, word: str, body: Any, node: Node, *, as_json: bool) -> int:  # noqa: ANN401 (JSON)
    found = client(node).post(f"/owner/processes/{quoted(process_id)}/{word}", body)
    text = f"{process_id}: {found['state']}" + (f", {found['pending']} sent" if found["pending"] else "")
    show(found, as_json=as_json, text=text)
    return Exit.DONE
