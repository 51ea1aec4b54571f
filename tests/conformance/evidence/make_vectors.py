"""Make the vectors anew: `python tests/conformance/evidence/make_vectors.py`; nothing is edited by hand.

What is committed stays valid for ever: a new version of the product may word `contract.txt` otherwise, and
make other bytes, but it must say the same of the old ones.
"""

import base64
import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from entrepot.oversight import verify_evidence

HERE = Path(__file__).parent
VECTORS = HERE / "vectors"
UNIT = HERE.parents[1] / "unit" / "oversight"


def load(name: str, path: Path) -> ModuleType:
    """A module of the tests, which are no packages."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


def made() -> list[Any]:
    """Every case, as this version of the product makes it."""
    story = load("evidence_story", UNIT / "story.py")
    forgeries = load("evidence_forgeries", UNIT / "forgeries.py")
    found = list(load("evidence_cases", HERE / "cases.py").cases(story, forgeries))
    found += load("evidence_lies", HERE / "lies.py").lies(story.Street, forgeries)
    return found + list(load("evidence_forms", HERE / "forms.py").forms(story, forgeries))


def expected(case: Any) -> dict[str, Any]:
    """What must be said of a case; the verdict is the case's own, and not the verifier's."""
    report = verify_evidence(case.files, case.policy)
    assert report.verdict == case.verdict, (case.name, report.why, report.objections)
    if case.verdict == "refused":
        return {"verdict": case.verdict}
    there_by = {str(entry["entry"]): entry["there_by"] or None for entry in report.entries}
    return {
        "verdict": case.verdict,
        "objections": report.objections,
        "receipt": report.receipt,
        "there_by": there_by,
    }


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def content(raw: bytes) -> dict[str, str]:
    try:
        return {"text": raw.decode()}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(raw).decode()}


def main() -> None:
    contents: dict[str, dict[str, str]] = {}
    index = []
    for case in made():
        policy = None if case.policy is None else case.policy.encode()
        for raw in [*case.files.values(), *([] if policy is None else [policy])]:
            contents[digest(raw)] = content(raw)
        package = {name: digest(raw) for name, raw in sorted(case.files.items())}
        told = {"name": case.name, "about": case.about, "package": package}
        index.append(told | {"policy": None if policy is None else digest(policy)} | expected(case))
    VECTORS.mkdir(exist_ok=True)
    for name, value in (("index", index), ("contents", dict(sorted(contents.items())))):
        text = json.dumps(value, indent=1, ensure_ascii=False)
        (VECTORS / f"{name}.json").write_text(f"{text}\n", "utf-8")
    print(f"{len(index)} vectors over {len(contents)} contents")


if __name__ == "__main__":
    main()
