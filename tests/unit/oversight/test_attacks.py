"""Attacks on readers of evidence: archives of a stranger, folders with traps, liars who hold every key.

Of each the reader gets a verdict: no traceback, no file elsewhere, no memory beyond what came.
"""

import base64
import io
import json
import os
import socket
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from dataclasses import asdict, replace
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entrepot.contracts import Signatory, Signature, seal_envelope
from entrepot.ledger import (
    Checkpoint,
    Note,
    Tree,
    cosign_checkpoint,
    encode_note,
    leaf_hash,
    render_note_key,
    sign_checkpoint,
)
from entrepot.oversight import (
    EVIDENCE_EXIT_CODES,
    is_contract_text,
    pack,
    read_evidence,
    render_evidence_report,
    unpack,
    verify,
    verify_evidence,
    write_folder,
)
from entrepot.oversight.evidence import manifest, write_evidence
from entrepot.values import MalformedError

Files = dict[str, bytes]
END = bytes(1024)

forgeries: Any = sys.modules["evidence_forgeries"]


@pytest.fixture(scope="module")
def whole(street: Any) -> Files:
    files: Files = street.usual(receipt=street.signed_receipt()).package()
    return files


# --- Archives


def head(name: str, size: int, kind: bytes = tarfile.REGTYPE, **more: Any) -> bytes:
    member = tarfile.TarInfo(name)
    member.size, member.type = size, kind
    for key, value in more.items():
        setattr(member, key, value)
    return member.tobuf(tarfile.GNU_FORMAT)


def padded(raw: bytes) -> bytes:
    return raw + bytes(-len(raw) % 512)


def pax(**said: str) -> bytes:
    """A head that says more of the next file (POSIX.1-2001)."""
    lines = b""
    for key, value in said.items():
        rest = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(rest) + len(str(len(rest) + 2))
        lines += str(length).encode() + rest
    return head("x", len(lines), tarfile.XHDTYPE) + padded(lines)


def edited(raw: bytes, at: int, new: bytes) -> bytes:
    """A head with other bytes in it, and a sum that agrees."""
    block = bytearray(raw)
    block[at : at + len(new)] = new
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


ARCHIVES: dict[str, Callable[[], bytes]] = {
    "no file": lambda: b"",
    "garbage": lambda: b"\x7fELF" * 1000,
    "a head cut off": lambda: head("receipt.json", 0)[:300],
    "a file cut off": lambda: head("receipt.json", 100) + b"{}",
    "a size beyond all": lambda: head("receipt.json", 8**11 - 1) + END,
    "a size below nothing": lambda: edited(head("receipt.json", 0), 124, b"-0000001000") + END,
    "a size with blanks": lambda: edited(head("receipt.json", 0), 124, b"          0") + END,
    "a size in base 256": lambda: edited(head("receipt.json", 0), 124, b"\x80" + bytes(10)) + END,
    "heads upon heads": lambda: (
        (head("././@LongLink", 4, tarfile.GNUTYPE_LONGNAME) + padded(b"abc\0")) * 5000 + head("a", 0) + END
    ),
    "heads of pax upon heads": lambda: pax(a="b") * 5000 + head("receipt.json", 0) + END,
    "a hole of a terabyte": lambda: (
        pax(GNU_sparse_map="0,1", GNU_sparse_size=str(1 << 40)) + head("receipt.json", 512) + bytes(512) + END
    ),
    "an older hole": lambda: (
        edited(edited(head("receipt.json", 0, tarfile.GNUTYPE_SPARSE), 386, b"0" * 11), 483, b"7" * 11) + END
    ),
    "a name by pax": lambda: pax(path="/tmp/x") + head("receipt.json", 0) + END,  # noqa: S108 (never written)
    "a size by pax": lambda: pax(size=str(1 << 62)) + head("receipt.json", 512) + bytes(512) + END,
    "a link": lambda: head("receipt.json", 0, tarfile.SYMTYPE, linkname="/etc/passwd") + END,
    "a hard link": lambda: head("receipt.json", 0, tarfile.LNKTYPE, linkname="contract.json") + END,
    "a device": lambda: head("receipt.json", 0, tarfile.CHRTYPE, devmajor=1, devminor=5) + END,
    "a fifo": lambda: head("receipt.json", 0, tarfile.FIFOTYPE) + END,
    "a folder": lambda: head("receipt.json", 0, tarfile.DIRTYPE) + END,
    "a file twice": lambda: head("receipt.json", 0) * 2 + END,
    "other rights": lambda: head("receipt.json", 0, mode=0o4755) + END,
    "another owner": lambda: head("receipt.json", 0, uid=1000, uname="root") + END,
    "a program": lambda: head("verify.py", 0) + END,
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_an_archive_that_no_node_would_make_is_refused(name: str) -> None:
    """A consumer's node reads the archive of its provider, a supervisor's that of whom it supervises."""
    with pytest.raises(MalformedError):
        unpack(ARCHIVES[name]())


NAMES = [
    "../x.json",
    "/etc/x",
    "a/receipt.json",
    "./receipt.json",
    "..",
    ".",
    "~",
    "receipt.json\n",
    "x" * 100,
]
NAMES += [
    "con",
    "receipt.json/",
    "RECEIPT.JSON",
    "..\\x",
    "entry-1.json\x1b[2J",
    "entry-٣.json",
    "entry-00.json",
]


@pytest.mark.parametrize("name", NAMES)
def test_no_name_in_an_archive_leads_out_of_its_folder(whole: Files, name: str) -> None:
    """`openings ask --folder` writes down what the party sent: a name chose where on the regulator's disk."""
    with pytest.raises(MalformedError):
        unpack(pack(whole | {name: b"mine"}))


@given(st.binary(max_size=600), st.integers(0, 4096))
@settings(max_examples=60)
def test_bytes_written_into_an_archive_change_what_is_in_it_or_are_refused(
    street: Any, noise: bytes, at: int
) -> None:
    """One set of files has one archive, however it was spoilt."""
    packed = pack(street.usual().package())
    spoilt = packed[:at] + noise + packed[at + len(noise) :]
    try:
        files = unpack(spoilt)
    except MalformedError:
        return
    assert pack(files) == spoilt


# --- Folders


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path.relative_to(Path.cwd())))  # a socket's name is short


def _large(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(17 << 20)


TRAPS: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "socket": _socket,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "link to itself": lambda path: path.symlink_to(path),
    "link to nothing": lambda path: path.symlink_to("nothing"),
    "folder": Path.mkdir,
    "large": _large,
    "too large for JSON": lambda path: path.write_bytes(b'"' + b"a" * (1 << 20) + b'"'),
    "UTF-16": lambda path: path.write_bytes('{"receipt":1}'.encode("utf-16")),
    "UTF-32": lambda path: path.write_bytes('{"receipt":1}'.encode("utf-32-le")),
    "deep": lambda path: path.write_bytes(b"[" * 500_000),
    "deep and closed": lambda path: path.write_bytes(b"[" * 400_000 + b"]" * 400_000),
    "deep in objects": lambda path: path.write_bytes(b'{"a":' * 200_000),
    "a long number": lambda path: path.write_bytes(b"9" * 1_000_000),
    "a long fraction": lambda path: path.write_bytes(b"1." + b"9" * 1_000_000),
    "an endless number": lambda path: path.write_bytes(b"1e999999999"),
    "no number": lambda path: path.write_bytes(b"NaN"),
    "a number below all": lambda path: path.write_bytes(b"-Infinity"),
    "nothing below zero": lambda path: path.write_bytes(b"-0"),
    "empty": lambda path: path.write_bytes(b""),
    "keys twice": lambda path: path.write_bytes(b'{"receipt":1,"receipt":1,"signature":"00"}'),
    "many keys": lambda path: path.write_bytes(b"{%b}" % b",".join(b'"%d":0' % n for n in range(90_000))),
}


@pytest.mark.parametrize("name", TRAPS)
def test_a_trap_in_a_folder_is_refused_and_not_walked_into(
    street: Any, whole: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A reader that hangs, falls or follows is no reader. The manifest agrees where a trap can be read."""
    monkeypatch.chdir(tmp_path)
    write_folder({n: raw for n, raw in whole.items() if n != "receipt.json"}, tmp_path / "p")
    TRAPS[name](tmp_path / "p" / "receipt.json")
    try:
        found = read_evidence(tmp_path / "p")
    except (ValueError, OSError):
        pass
    else:
        (tmp_path / "p/manifest.json").write_bytes(manifest(found))
    (tmp_path / "policy").write_text(street.policy)
    assert run("p", "--policy", "policy") == "refused"


@pytest.mark.parametrize(
    "name", [b"receipt\xff.json", b"entry-1.json\n", b"-h", b"--policy", b" ", b"a" * 255]
)
def test_a_file_of_a_strange_name_is_refused(street: Any, whole: Files, tmp_path: Path, name: bytes) -> None:
    """No text, no name of ours, or a word of the command line."""
    write_folder(whole, tmp_path / "p")
    Path(os.fsdecode(os.fsencode(tmp_path / "p") + b"/" + name)).write_bytes(b"{}")
    (tmp_path / "policy").write_text(street.policy)
    assert run(str(tmp_path / "p"), "--policy", str(tmp_path / "policy")) == "refused"


@pytest.mark.parametrize(
    "raw",
    [
        b"\xff\xfe",
        b"\x00" * 100,
        b"log " * 100_000,
        b"quorum none\n",
        b"# nothing else",
        "\ufefflog x\n".encode(),
        b"".join(b"group g%d any a\n" % n for n in range(5000)),
        json.dumps({"log": "x", "quorum": 1}).encode(),
        b"version 2\nquorum a\n",
    ],
    ids=str,
)
def test_what_is_no_policy_trusts_nobody(street: Any, whole: Files, tmp_path: Path, raw: bytes) -> None:
    """Of another version, another encoding, or of one line too few: never a yes."""
    write_folder(whole, tmp_path / "p")
    for before in (b"", street.policy.encode()):
        (tmp_path / "policy").write_bytes(before + raw)
        said = run(str(tmp_path / "p"), "--policy", str(tmp_path / "policy"))
        assert said == ("verified" if before and raw.startswith(b"#") else "refused")


def test_groups_in_groups_without_end_are_no_quorum(street: Any, whole: Files) -> None:
    """A policy may nest; what nests deeper than can be counted is refused, and the reader does not fall."""
    one = render_note_key(street.witness_keys[0])
    chain = "".join(f"group g{n + 1} all g{n}\n" for n in range(20_000))
    policy = f"log {render_note_key(street.log_key)}\nwitness g0 {one}\n{chain}quorum g20000\n"
    assert verify_evidence(whole, policy).verdict == "refused"


def run(*arguments: str) -> str:
    """The verdict of the program, which prints a report whatever it was given."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        code = verify.main([*arguments])
    verdict: str = json.loads(printed.getvalue())["verdict"]
    assert EVIDENCE_EXIT_CODES[verdict] == code
    return verdict


# --- Logs and witnesses


def test_a_log_is_not_another_that_has_its_name_or_its_head(street: Any) -> None:
    """A head counts under the key of its own log; a cosignature counts for the log that it names."""
    log, (one, two) = street.log_key, street.witness_keys
    foreign = replace(log, name="ledger.example/other", raw=street.Key("other log").raw)
    twin = replace(log, raw=street.Key("other log").raw)
    story = street.usual()
    lines = story.package()["checkpoint.txt"].decode().split("\n")
    tree = Tree(map(leaf_hash, story.log))
    ours, theirs = (Checkpoint(name, len(tree), tree.root()) for name in (log.name, foreign.name))
    key = street.Key("other log")

    def note(head: Checkpoint, *signed: Any) -> bytes:
        return encode_note(Note(head.text, signed))

    def cosigned(head: Checkpoint, at: int = 1_764_000_000) -> list[Any]:
        pairs = zip(("witness 1", "witness 2"), (one, two), strict=True)
        return [cosign_checkpoint(head, at, street.Key(name), k) for name, k in pairs]

    notes = {
        "of another log": note(theirs, sign_checkpoint(theirs, key, foreign), *cosigned(theirs)),
        "signed by another log": note(ours, replace(sign_checkpoint(ours, key, twin), name=foreign.name)),
        "signed by a twin": note(ours, sign_checkpoint(ours, key, twin), *cosigned(ours)),
        "cosigned for another": note(ours, sign_checkpoint(ours, street.Key("log"), log), *cosigned(theirs)),
        "of one witness twice": note(ours, sign_checkpoint(ours, street.Key("log"), log), cosigned(ours)[0])
        + encode_note(Note(ours.text, (cosigned(ours, 1_764_000_009)[0],))).split(b"\n\n")[1],
        "cosigned by the log": note(
            ours,
            sign_checkpoint(ours, street.Key("log"), log),
            cosign_checkpoint(ours, 1_764_000_000, street.Key("log"), replace(one, raw=log.raw)),
            cosigned(ours)[1],
        ),
        "of the two halves": "\n".join(
            [*lines[:5], *note(theirs, *cosigned(theirs)).decode().split("\n")[4:]]
        ).encode(),
    }
    both = f"log {render_note_key(foreign)}\n{street.policy}"
    for name, raw in notes.items():
        files = forgeries.remake(story.files() | {"checkpoint.txt": raw})
        assert verify_evidence(files, both).verdict == "refused", name
    assert verify_evidence(story.files(), both).verdict == "verified"


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_a_path_holds_in_a_tree_of_its_own_size_only(street: Any, data: st.DataObject) -> None:
    """An entry is proved under a head by the path to that head, not by one to an earlier or later one."""
    story = street.usual(receipt=street.signed_receipt())
    log = story.log
    tree, files = Tree(map(leaf_hash, log)), story.files()
    number = data.draw(st.sampled_from([int(n[6:-5]) for n in files if n.startswith("entry-")]))
    other = data.draw(st.integers(number + 1, len(log)))
    path = [step.hex() for step in tree.prove_inclusion(number, other)]
    true = json.loads(files[f"entry-{number}.json"])["path"]
    changed = forgeries.change(files, f"entry-{number}.json", lambda entry: entry.update(path=path))
    assert verify_evidence(changed, street.policy).verdict == ("verified" if path == true else "refused")


# --- Liars who hold every key


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.text(max_size=8)
    | st.sampled_from(
        ["did:web:a.example", "did:web:a.example#k", "00" * 32, "sha256:" + "00" * 32, "\n", "~"]
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document."""
    yield path
    if isinstance(value, dict | list):
        for key in value if isinstance(value, dict) else range(len(value)):
            yield from places(value[key], (*path, key))


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    key, *rest = path
    value[key] = put(value[key], tuple(rest), new)
    return value


def canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(
        errors="surrogatepass"
    )


def colluding(street: Any, documents: dict[str, Any]) -> Files:
    """A package whose log, keys and proofs are made to fit what its documents say, as far as that can be."""
    entries = {n: d for n, d in sorted(documents.items()) if n.startswith("entry-")}
    leaves = []
    for each in entries.values():
        payload = canonical(each["entry"])
        signer = str(each["entry"].get("actor", "")) if isinstance(each["entry"], dict) else ""
        name = signer.removeprefix("did:web:").removesuffix(".example")
        signature = street.Key(f"{name} 1").sign(b"entrepot/transaction/v1\n" + payload)
        each["signature"] = signature.hex()
        leaves.append(payload + signature)
    tree = Tree(map(leaf_hash, leaves))
    for number, each in enumerate(entries.values()):
        each["path"] = [step.hex() for step in tree.prove_inclusion(number)]
    note = street.Story([]).checkpoint(tree)
    return {name: canonical(document) for name, document in documents.items()} | {"checkpoint.txt": note}


def batched(documents: dict[str, Any]) -> dict[str, Any]:
    """The documents with every record alone in its batch, so that its proofs can be made anew."""
    for name in [n for n in documents if n.startswith("record-")]:
        shown = documents[name]
        raw = canonical(shown["record"])
        leaf = sha256(b"\0" + sha256(b"entrepot/record/v1\n" + bytes.fromhex(shown["salt"]) + raw).digest())
        if not isinstance(shown["part"], dict):
            continue
        shown["part"]["root"] = f"sha256:{leaf.hexdigest()}"
        outer = sha256(b"\0" + canonical(shown["part"])).hexdigest()
        entry = documents.get(f"entry-{shown['batch']}.json", {}).get("entry")
        if isinstance(entry, dict) and isinstance(entry.get("body"), dict):
            entry["body"]["root"] = f"sha256:{outer}"
    return documents


def plain(street: Any) -> dict[str, Any]:
    """The documents of a use with nothing beside it: entries 0 to n, and each record alone."""
    story = street.usual(receipt=street.signed_receipt())
    files = story.files()
    documents = {n: json.loads(raw) for n, raw in files.items() if n.endswith(".json")}
    del documents["manifest.json"]
    numbers = sorted(int(name[6:-5]) for name in documents if name.startswith("entry-"))
    renamed = {old: new for new, old in enumerate(numbers)}
    for old in numbers:
        document = documents.pop(f"entry-{old}.json")
        documents[f"entry-{renamed[old]}.json"] = document | {"number": renamed[old]}
    for name in [n for n in documents if n.startswith("record-")]:
        shown = documents[name]
        shown |= {"batch": renamed[shown["batch"]], "inner": [], "outer": [], "place": 0, "width": 1}
        shown["part"] |= {"count": 1, "first": shown["number"], "last": shown["number"]}
    return documents


def sealed(street: Any, documents: dict[str, Any], text: bytes) -> Files:
    files = colluding(street, batched(documents)) | {"contract.txt": text}
    return files | {"manifest.json": manifest(files)}


def test_liars_who_hold_every_key_can_tell_the_truth(street: Any) -> None:
    """Else the next test would attack nothing but the first check."""
    text = street.usual().files()["contract.txt"]
    report = verify_evidence(sealed(street, plain(street), text), street.policy)
    assert (report.verdict, report.why) == ("verified", "")


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_liars_who_hold_every_key_bring_no_reader_to_fall(street: Any, data: st.DataObject) -> None:
    """Provider, consumer, operator, log and witnesses together: anything anywhere, proved and signed anew."""
    text = street.usual().files()["contract.txt"]
    documents = plain(street)
    for _ in range(data.draw(st.integers(1, 3))):
        name = data.draw(st.sampled_from(sorted(documents)))
        path = data.draw(st.sampled_from(sorted(places(documents[name]), key=str)))
        if path not in {(), ("entry",), ("record",)}:
            documents[name] = put(documents[name], path, data.draw(ANY))
    try:
        files = sealed(street, documents, text)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError):
        return  # not even liars can make proofs of it
    for policy in (street.policy, None):
        report = verify_evidence(files, policy)
        assert report.verdict in EVIDENCE_EXIT_CODES
        assert json.loads(json.dumps(asdict(report)))["verdict"] == report.verdict


def test_no_order_of_true_records_but_their_own_tells_the_use(street: Any, whole: Files) -> None:
    """Two records changed places, one is told twice, one is told in place of another, one is left out."""
    names = [name for name in sorted(whole) if name.startswith("record-")]
    rest = {name: raw for name, raw in whole.items() if name not in names}
    own = [whole[name] for name in names]
    for length in range(5):
        for told in product(own, repeat=length):
            shown = {f"record-{n:04d}.json": raw for n, raw in enumerate(told, 1)}
            verdict = verify_evidence(forgeries.remake(rest | shown), street.policy).verdict
            assert verdict == ("verified" if list(told) == own else "refused"), [
                own.index(raw) for raw in told
            ]


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_whatever_two_parties_sign_is_reported_or_refused(street: Any, data: st.DataObject) -> None:
    """A contract may say anything besides what every contract says; its reader falls over none of it."""
    story = street.usual()
    terms: Any = json.loads(base64.b64decode(json.loads(story.envelope)["payload"]))
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(places(terms), key=str)))
        terms = put(terms, path, data.draw(ANY)) if path else terms
    raw = canonical(terms)
    signed = b"entrepot/contract/v1\n" + raw
    parties = ((Signatory.PROVIDER, street.provider), (Signatory.CONSUMER, street.consumer))
    signatures = [Signature.of(a.key_id, role, a.key.sign(signed)) for role, a in parties]
    story.envelope, story.lawful = seal_envelope(raw, signatures), False
    story.steps[4] = street.file(story.envelope)
    files = write_evidence(**story.gathered() | {"envelope": street.usual().envelope})
    text = f"{terms.get('contractId')} sha256:{sha256(raw).hexdigest()}\n".encode(errors="replace")
    files |= {"contract.json": story.envelope, "contract.txt": text}
    files |= {"manifest.json": manifest(files)}
    report = verify_evidence(files, street.policy)

    assert report.verdict in EVIDENCE_EXIT_CODES
    assert all(render_evidence_report(report, language) for language in ("en", "zh"))
    assert report.verdict == "refused" or not is_contract_text(files)  # ours has sentences
