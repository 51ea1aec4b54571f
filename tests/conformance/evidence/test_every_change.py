"""Every bit of every file: a trusted copy of the verifier, in an interpreter of its own, takes none of it."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from entrepot.oversight import read_evidence, verify, write_folder

EVERY_CHANGE = """
import importlib.util, json, pathlib, random, sys
spec = importlib.util.spec_from_file_location("verify", "verify.py")
sys.modules["verify"] = verify = importlib.util.module_from_spec(spec)
spec.loader.exec_module(verify)
files, policy = verify.read_folder(pathlib.Path(sys.argv[1])), pathlib.Path("policy").read_text()
assert verify.verify(files, policy).verdict == "verified"
pick, tried, accepted = random.Random(4), 0, []

def refused(changed, what):
    global tried
    tried += 1
    if verify.verify(changed, policy).verdict != "refused":
        accepted.append(what)

for name, raw in files.items():
    for at, byte in enumerate(raw):
        for other in [*(byte ^ 1 << bit for bit in range(8)), (byte + pick.randrange(1, 256)) % 256]:
            refused({**files, name: raw[:at] + bytes([other]) + raw[at + 1 :]}, f"{name} {at}: {other}")
    rest = {other: each for other, each in files.items() if other != name}
    refused(rest, f"without {name}")
    refused({**rest, name.replace(".", "x."): raw}, f"{name} renamed")
    refused({**rest, "record-0009.json": raw}, f"{name} as a record")
    refused({**files, "x" + name: raw}, f"{name} twice")
print(json.dumps([tried, accepted]))
"""
"""Every bit of every byte and another byte, then every file lost, renamed and added."""


def test_a_trusted_copy_refuses_every_changed_byte_and_every_change_of_files(
    street: Any, tmp_path: Path
) -> None:
    """Issue 3, must show 4: any one-byte change in any file, and added, missing and renamed files."""
    story = street.usual(receipt=street.signed_receipt())
    story.heads = street.heads
    write_folder(story.package(), tmp_path / "package")
    (tmp_path / "every.py").write_text(EVERY_CHANGE)
    (tmp_path / "policy").write_text(street.policy)
    shutil.copy(str(verify.__file__), tmp_path / "verify.py")
    # -I -S: no site packages, no environment, no folder of the program on the path.
    command = [sys.executable, "-I", "-S", "every.py", "package"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    tried, accepted = json.loads(done.stdout)
    files = read_evidence(tmp_path / "package")
    assert accepted == []
    assert tried == 9 * sum(map(len, files.values())) + 4 * len(files)
