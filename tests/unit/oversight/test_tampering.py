"""One byte: whichever file of a package is changed, added, lost or renamed, a trusted verifier says no."""

import json
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.oversight import is_contract_text, pack, unpack, verify, verify_evidence, write_folder
from entrepot.oversight.evidence import manifest
from entrepot.values import MalformedError, TooLargeError

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def whole(street: Any) -> Files:
    files: Files = street.usual(receipt=street.signed_receipt()).package()
    assert verify_evidence(files, street.policy).verdict == "verified"
    return files


def changes(raw: bytes, seed: str) -> Iterator[bytes]:
    """Every position once, each with another change."""
    pick = random.Random(seed)  # noqa: S311 (tests that repeat need no secret)
    for at in range(len(raw)):
        yield raw[:at] + bytes([raw[at] ^ pick.randrange(1, 256)]) + raw[at + 1 :]


def test_any_one_byte_change_in_any_file_is_refused(street: Any, whole: Files) -> None:
    """Must show 4, exhaustively: every byte of every file, at both ends as well."""
    tried = 0
    for name, raw in whole.items():
        for changed in (*changes(raw, name), raw[1:], raw[:-1], raw + b"\n", raw + b" ", b" " + raw):
            assert verify_evidence(whole | {name: changed}, street.policy).verdict == "refused", name
            tried += 1
    assert tried > 10_000


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_a_change_is_refused_though_the_manifest_agrees(
    street: Any, whole: Files, data: st.DataObject
) -> None:
    """The manifest only finds accidents. Without its help the proofs must find any change, alone."""
    name = data.draw(st.sampled_from(sorted(set(whole) - {"manifest.json"})))
    raw = bytearray(whole[name])
    # The text for reading is bound by its first line; what was signed is the payload (see below).
    end = raw.index(b"\n") if name == "contract.txt" else len(raw) - 1
    raw[data.draw(st.integers(0, end))] ^= data.draw(st.integers(1, 255))
    files = whole | {name: bytes(raw)}
    assert verify_evidence(files | {"manifest.json": manifest(files)}, street.policy).verdict == "refused"


def test_a_text_of_another_contract_is_refused_and_another_wording_is_found(
    street: Any, whole: Files
) -> None:
    """Nobody signed the text; whoever has the product can tell whether it says what was signed."""
    assert is_contract_text(whole)
    text = whole["contract.txt"]
    for changed in (
        text.replace(b"7A sha256:", b"8A sha256:"),
        b"",
        text[:-1],
        text + b"\x1b[2J\n",
        b"\xff" + text,
    ):
        files = whole | {"contract.txt": changed}
        assert verify_evidence(files | {"manifest.json": manifest(files)}, street.policy).verdict == "refused"
    kinder = whole | {"contract.txt": text.replace(b"2026-12-31", b"2036-12-31")}
    assert not is_contract_text(kinder)
    assert verify_evidence(kinder, street.policy).verdict == "refused"


def test_added_lost_renamed_and_swapped_files_are_refused(street: Any, whole: Files) -> None:
    """A file has one name, and a package exactly its files."""
    added = ("verify.py", "record-0004.json", "entry-2.json", "receipt-2.json", "x", "../x", "record-1.json")
    broken = [whole | {name: whole["receipt.json"]} for name in added]
    broken += [{n: raw for n, raw in whole.items() if n != name} for name in whole]
    names = sorted(set(whole) - {"manifest.json"})
    for name in names:
        rest = {n: raw for n, raw in whole.items() if n != name}
        broken += [rest | {name + "~": whole[name]}, rest | {"record-0009.json": whole[name]}]
        broken += [whole | {name: whole[other], other: whole[name]} for other in names if other > name]
    for files in broken:
        for candidate in (files, files | {"manifest.json": manifest(files)}):
            report = verify_evidence(candidate, street.policy)
            assert report.verdict == "refused" or candidate == whole


def test_a_package_of_another_is_no_better(street: Any, whole: Files) -> None:
    """Parts of two true packages do not make a third."""
    other: Files = street.usual().package()
    for name in sorted(set(whole) & set(other) - {"manifest.json"}):
        if whole[name] != other[name]:
            files = whole | {name: other[name]}
            report = verify_evidence(files | {"manifest.json": manifest(files)}, street.policy)
            assert report.verdict == "refused", name


def test_a_packed_package_has_one_form(whole: Files) -> None:
    """The archive is as strict as the folder: one set of files, one sequence of bytes."""
    raw = pack(whole)
    assert unpack(raw) == whole
    assert pack(dict(reversed(whole.items()))) == raw
    pick = random.Random(0)  # noqa: S311 (as above)
    for at in [*range(512), *(pick.randrange(len(raw)) for _ in range(200))]:
        changed = raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]
        try:
            assert unpack(changed) != whole
        except MalformedError:
            continue
    for broken in (b"", raw[:-1], raw + b"\0", raw[:700], b"\0" * 10_240 + raw):
        with pytest.raises(MalformedError):
            unpack(broken)
    with pytest.raises(TooLargeError):
        unpack(bytes((32 << 20) + 1))


@given(st.binary(max_size=2000))
@settings(max_examples=100)
def test_any_bytes_are_unpacked_or_refused(raw: bytes) -> None:
    """An archive comes from a stranger."""
    with pytest.raises(MalformedError):
        unpack(raw)


PROGRAM = Path(str(verify.__file__))


class TestTheProgramAlone:
    """`verify.py` as a court runs it: a copy of the file, in a folder of its own, and nothing else."""

    @pytest.fixture
    def folder(self, tmp_path: Path, whole: Files) -> Path:
        write_folder(whole, tmp_path / "package")
        return tmp_path / "package"

    def run(self, street: Any, tmp_path: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
        shutil.copy(PROGRAM, tmp_path / "verify.py")
        (tmp_path / "policy").write_text(street.policy)
        # -I -S: no site packages, no environment, no folder of the program on the path.
        command = [sys.executable, "-I", "-S", "verify.py", *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    def test_it_verifies(self, street: Any, tmp_path: Path, folder: Path) -> None:
        """Exit 0 and a report that begins with the verdict."""
        done = self.run(street, tmp_path, folder.name, "--policy", "policy")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith('{\n  "verdict": "verified",\n')
        told = json.loads(done.stdout)
        assert (told["verdict"], told["receipt"], told["log"]) == (
            "verified",
            "agreed",
            "ledger.example/space",
        )

    def test_it_does_not_trust_without_a_policy(self, street: Any, tmp_path: Path, folder: Path) -> None:
        """Exit 3: nobody reads this as a yes."""
        assert self.run(street, tmp_path, folder.name).returncode == 3

    def test_its_exit_codes_are_kept(self, street: Any, tmp_path: Path, folder: Path) -> None:
        """1 for what does not hold, 2 for a wrong call, 4 for a dispute."""
        story = street.usual()
        story.steps.insert(6, street.end())
        write_folder(story.package(), tmp_path / "disputed")
        (folder / "receipt.json").write_bytes(b"{}")

        assert self.run(street, tmp_path, folder.name, "--policy", "policy").returncode == 1
        assert self.run(street, tmp_path, "nowhere", "--policy", "policy").returncode == 1
        assert self.run(street, tmp_path, "disputed", "--policy", "nowhere").returncode == 1
        assert self.run(street, tmp_path).returncode == 2
        assert self.run(street, tmp_path, "disputed", "--policy", "policy").returncode == 4

    def test_a_folder_with_a_file_changed_on_disk_is_refused(
        self, street: Any, tmp_path: Path, folder: Path
    ) -> None:
        """The same by the command line, on the disk, one change of each kind."""
        for name in sorted(each.name for each in folder.iterdir()):
            for spoil in (
                lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"),
                lambda path: path.rename(path.with_name(f"x{path.name}")),
                lambda path: path.unlink(),
                lambda path: path.with_name("more.txt").write_bytes(b""),
            ):
                shutil.copytree(folder, tmp_path / "spoiled")
                spoil(tmp_path / "spoiled" / name)
                with pytest.MonkeyPatch.context() as at:
                    at.chdir(tmp_path)
                    (tmp_path / "policy").write_text(street.policy)
                    assert verify.main(["spoiled", "--policy", "policy"]) == 1, name
                shutil.rmtree(tmp_path / "spoiled")

    def test_links_and_folders_are_no_files_of_a_package(self, tmp_path: Path, folder: Path) -> None:
        """A link could show the verifier one thing and the judge another."""
        receipt = folder / "receipt.json"
        elsewhere = tmp_path / "elsewhere.json"
        receipt.rename(elsewhere)
        for name in ("link", "folder"):
            receipt.symlink_to(elsewhere) if name == "link" else receipt.mkdir()
            with pytest.raises(ValueError, match="no package"):
                verify.read_folder(folder)
            receipt.unlink() if name == "link" else receipt.rmdir()

    def test_it_is_one_short_file_of_the_standard_library(self) -> None:
        """An expert reads it in an afternoon, and needs no package index to run it."""
        lines = PROGRAM.read_text().splitlines()
        imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
        assert len(lines) < 500
        assert imported <= set(sys.stdlib_module_names)


def test_the_page_on_evidence_says_what_the_program_says() -> None:
    """Codes, verdicts, files and objections of the reference page are those of the code."""
    page = (Path(__file__).parents[3] / "docs/reference/evidence.md").read_text()
    code = PROGRAM.read_text()
    told = [
        line.split("|")[1:3] for line in page.splitlines() if line.startswith("| ") and "verdict" not in line
    ]
    table = {verdict.strip(): code.strip() for code, verdict in told}

    assert {verdict: table[verdict] for verdict in verify.EXIT_CODES} == {
        verdict: str(number) for verdict, number in verify.EXIT_CODES.items()
    }
    for text in re.findall(r'^            \(f?"([A-Z][^"{]+)', code, re.MULTILINE):
        assert f"\n| {text}" in page
    for name in (*verify.NEEDED, "entry-N.json", "receipt.json"):
        assert f"| `{name}` |" in page
    for name in verify.Report.__dataclass_fields__:
        assert f"`{name}`" in page
    assert sha256(PROGRAM.read_bytes()).hexdigest() in page, "publish the digest of the file as it is now"
