"""The children of queries as real processes: in every tier the same answers, and nothing to reach for.

What a payload in a child could do is tried by code of this test in the place of ours.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import uvloop

import entrepot
from entrepot.use.query import Children, Limits, Sandbox, Tier
from entrepot.use.query.cage.model import Ran, Rule, Written
from entrepot.use.query.schema import Askable
from entrepot.values import UnavailableError

_SPEC = importlib.util.spec_from_file_location(
    "planted", Path(__file__).parents[1] / "unit" / "use" / "query" / "planted.py"
)
assert _SPEC is not None
assert _SPEC.loader is not None
planted = sys.modules.setdefault("planted", importlib.util.module_from_spec(_SPEC))
_SPEC.loader.exec_module(planted)

FAIR = "select arm, count(*), sum(dose), avg(cd4) from trial group by arm"
PAYLOAD = """
import json, os, socket
def tried(do):
    try:
        return do() or True
    except OSError:
        return False
found = {
    "environment": dict(os.environ),
    "secret": tried(lambda: open(%(secret)r).read()),
    "overwritten": tried(lambda: open(%(data)r, "r+b").close()),
    "written": tried(lambda: open(%(folder)r + "/left-behind", "w").write("x")),
    "here": tried(lambda: open("left-behind", "w").write("x" * 10)),
    "connected": tried(lambda: socket.create_connection(("127.0.0.1", %(port)d), 2).close()),
    "others": tried(lambda: len([p for p in os.listdir("/proc") if p.isdigit()])),
    "settings": tried(lambda: open("/proc/sys/vm/swappiness", "r+").close()),
    "uid": os.getuid(),
}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The artefact, as the node keeps it: in its folder, readable by the node alone."""
    path: Path = planted.write_trial(tmp_path_factory.mktemp("artefacts") / "trial.parquet")
    path.chmod(0o400)
    return path


@pytest.fixture(scope="session")
def sandboxes() -> Iterator[dict[Tier, Sandbox]]:
    """One of each tier: to find out that a child starts takes a second."""
    made = {tier: Sandbox((tier,)) for tier in Tier}
    yield made
    for sandbox in made.values():
        sandbox.close()


@pytest.fixture(params=list(Tier))
def sandbox(request: pytest.FixtureRequest, sandboxes: dict[Tier, Sandbox]) -> Sandbox:
    """Each tier that this machine has; the last it must have."""
    found = sandboxes[request.param]
    try:
        assert found.tier is request.param
    except UnavailableError:
        if request.param is Tier.LIMITS:
            raise
        pytest.skip(f"this machine has no {request.param}")
    return found


def children_of(sandbox: Sandbox, **limits: Any) -> tuple[Children, Askable]:
    bounds = msgspec.structs.replace(Limits(), **limits)
    return Children(sandbox, bounds), Askable(planted.TRIAL, bounds, None)


async def answered(sandbox: Sandbox, path: Path, sql: str, **limits: Any) -> Ran:
    children, about = children_of(sandbox, **limits)
    verdict = await children.read(sql, about)
    assert verdict.written is not None, verdict.refused
    try:
        return await children.run(path, about, verdict.written, ())
    finally:
        children._staging.close()


def test_every_tier_gives_the_same_answer(sandbox: Sandbox, trial: Path) -> None:
    """Where a query ran is in the record; what it found must not depend on that."""
    assert uvloop.run(answered(sandbox, trial, FAIR)) == planted.ask(trial, FAIR)[1]


def test_the_best_tier_is_taken_and_named(sandboxes: dict[Tier, Sandbox]) -> None:
    """A record that names a better tier than the one used would be a lie in evidence."""
    with_all = Sandbox()
    try:
        assert with_all.tier is next(t for t, one in sandboxes.items() if starts(one))
    finally:
        with_all.close()


def test_it_is_said_what_keeps_a_better_tier_away(tmp_path: Path) -> None:
    """Where root has unpacked us in its home, the owner must learn that another folder would do better."""
    if os.geteuid() != 0 or shutil.which("bwrap") is None:
        pytest.skip("only root with bubblewrap is kept back by a closed folder")
    closed = tmp_path / "home"
    python = _installed_in(closed)
    closed.chmod(0o700)
    told = "from entrepot.use.query import Sandbox; s = Sandbox(); print(s.tier, s.hindrance, sep=': ')"
    ours = str(Path(entrepot.__file__).parents[1])

    def said(path: str) -> str:
        environment = {"PATH": path, "PYTHONPATH": ours}
        return subprocess.run(
            [python, "-c", told], env=environment, check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()

    named = said(os.environ["PATH"]).partition(": ")[2].partition(" is closed to ")[0]
    assert Path(named) in (closed, *closed.parents), named
    assert said("").endswith(": bubblewrap is not installed")


def _installed_in(folder: Path) -> Path:
    """An interpreter whose libraries are ours, under a folder of its own."""
    venv.create(folder, with_pip=False)
    libraries = next(folder.glob("lib/python*/site-packages"))
    for found in Path(sysconfig.get_paths()["purelib"]).iterdir():
        (libraries / found.name).symlink_to(found)
    return folder / "bin" / "python"


def starts(sandbox: Sandbox) -> bool:
    try:
        return bool(sandbox.tier)
    except UnavailableError:
        return False


@pytest.mark.parametrize(
    ("sql", "rule"),
    [
        ("(" * 9_000, Rule.NESTING),
        ("select " + "not " * 2_400 + "true from trial", Rule.NESTING),
        ("select " + "case when true then " * 300 + "1 " + "end " * 300, Rule.NESTING),
        ("select count(*) from trial where " + "age > 1 or " * 900 + "true", Rule.NESTING),
        ("select '" + "x" * 20_000, Rule.LENGTH),
        ("select " + "decimal(" * 38 + "1" + ")" * 38 + " from trial", Rule.SYNTAX),
    ],
)
def test_a_bomb_is_refused_like_any_other_text(sandbox: Sandbox, sql: str, rule: Rule) -> None:
    """A text that breaks the parser must break a child, never the node."""
    children, about = children_of(sandbox)

    verdict = uvloop.run(children.read(sql, about))

    assert verdict.refused is not None
    assert verdict.refused.rule in {rule, Rule.SYNTAX}


def test_time_memory_and_faults_are_one_word(sandbox: Sandbox, trial: Path) -> None:
    """Which of them it was could tell of a value."""
    grown = Written(sql="SELECT count(DISTINCT a * b) FROM range(100000) AS x(a), range(100000) AS y(b)",
                    columns=("n",), cells=planted.ask(trial, FAIR)[0].cells, reads=())  # fmt: skip
    broken = msgspec.structs.replace(grown, sql="SELECT error('Ada 60')")

    async def all_of_them() -> list[Ran]:
        found = []
        for written, limits in [
            (grown, {"seconds": 1.0}), (grown, {"megabytes": 30}), (broken, {}), (broken, {"bytes": -1}),
        ]:  # fmt: skip
            children, about = children_of(sandbox, **limits)
            found.append(await children.run(trial, about, written, ()))
            children._staging.close()
        return found

    assert uvloop.run(all_of_them()) == [Ran(refused=Rule.ENGINE)] * 4


def test_a_child_finds_nothing_to_take_or_leave(sandbox: Sandbox, trial: Path, tmp_path: Path) -> None:
    """What stands between a hole in the engine and the host is the tier; each holds what it promises."""
    secret = tmp_path / "secret"
    secret.write_text("geheim")
    secret.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = _payload(sandbox, trial, secret, tmp_path, server.getsockname()[1])

    assert found["environment"].keys() <= {"LC_CTYPE", "PWD"}
    match sandbox.tier:
        case Tier.BWRAP:
            walls = ("secret", "overwritten", "written", "here", "connected", "settings")
            assert found["others"] <= 2
        case Tier.LANDLOCK:
            walls = ("secret", "overwritten", "written", "here", "connected", "settings", "others")
        case Tier.UID:
            walls = ("secret", "overwritten", "written", "here", "settings")
        case _:
            walls = ()
    assert [name for name in walls if found[name]] == []
    # Landlock keeps root in too, where no other user can reach the libraries: in a closed checkout.
    assert sandbox.is_apart or sandbox.tier in {Tier.LANDLOCK, Tier.LIMITS} or os.geteuid() != 0
    assert (found["uid"] != 0) == (sandbox.is_apart or os.geteuid() != 0)
    assert not (tmp_path / "left-behind").exists() or sandbox.tier is Tier.LIMITS


def _payload(sandbox: Sandbox, trial: Path, secret: Path, folder: Path, port: int) -> dict[str, Any]:
    """Run code in a child of this tier, in the place of what it is for."""
    children, _ = children_of(sandbox)
    data = children._staging.open(trial) if sandbox.is_apart else trial
    seen = sandbox.path_of(data)
    payload = PAYLOAD % {"secret": str(secret), "data": seen, "folder": str(folder), "port": port}
    launch = sandbox._launch(sandbox._place, "cage.running", payload, data)
    done = subprocess.run(
        launch.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env={}, cwd=launch.folder,
        check=True, user=launch.uid, group=launch.uid, extra_groups=None if launch.uid is None else [],
        pass_fds=launch.descriptors,
    )  # fmt: skip
    children._staging.close()
    if isinstance(data, int):
        os.close(data)
    assert trial.read_bytes()[:4] == b"PAR1"
    found: dict[str, Any] = json.loads(done.stdout)
    return found
