"""Personal data planted wherever a stranger can put it is found in no ledger, log, output or error."""

import base64
import hashlib
import http.client
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from space import Space, found_space

PERSON = "张三 11010519491231002X +8613912345678 zhang.san@example.org"
PLANTED = PERSON.split(" ")


def test_planted_personal_data_is_found_nowhere(tmp_path: Path) -> None:
    """Query strings, headers, paths, file names, descriptions and claims: none reaches what others read."""
    space = found_space(tmp_path / "space")
    try:
        folder = tmp_path / "space" / PERSON.replace("/", "")
        folder.mkdir()
        content = b"rows of data\n" * 100
        file = folder / f"{PERSON}.csv"
        file.write_bytes(content)
        product = space.offer(file, uses=3)
        ended = space.use(product)
        assert ended.state == "received"
        errors = list(answers_to_planted_requests(space))
        errors += [owner_error(space)]
    finally:
        space.stop()
    haystacks = {f"error {i}: {raw[:200]!r}": raw for i, raw in enumerate(errors)}
    for node in space.nodes:
        haystacks[f"log of {node.folder.name}"] = node.log.read_bytes()
    for ledger in space.operator.folder.glob("ledger.db*"):
        haystacks[ledger.name] = ledger.read_bytes()

    assert len(haystacks) > 30
    assert leaks(haystacks) == []
    # The search itself finds what leaks on purpose, in each of the forms.
    for needle in (form for text in PLANTED for form in forms_of(text)):
        assert leaks({"on purpose": b"before " + needle + b" after"})


def answers_to_planted_requests(space: Space) -> Iterator[bytes]:
    """Ask every node, on both ports, with personal data wherever a request has room for it."""
    quoted = urllib.parse.quote(PERSON)
    claims = base64.urlsafe_b64encode(json.dumps({"iss": f"did:web:{PERSON}", "name": PERSON}).encode())
    header = base64.urlsafe_b64encode(b'{"alg":"ES256","kid":"x"}').rstrip(b"=").decode()
    token = f"{header}.{claims.rstrip(b'=').decode()}.AAAA"
    body = json.dumps({"@context": [PERSON], "@type": PERSON, "name": PERSON, "reason": [PERSON]})
    paths = (
        f"/{quoted}",
        f"/dsp/2025-1/negotiations/{quoted}?who={quoted}",
        f"/dsp/2025-1/catalog/datasets/{quoted}",
        f"/door/{quoted}?token={quoted}",
        f"/tds/platform/membershipApplication?{quoted}",
        f"/tds/abnormalTermination?{quoted}",
        f"/ledger/transactions/{quoted}",
        f"/ledger/transactions?{quoted}",
        f"/owner/uses?{quoted}",
    )
    for node in space.nodes:
        for address in (node.public, node.owner):
            for path in paths:
                for method in ("GET", "POST"):
                    yield answer(address, method, path, body, token, quoted)


def answer(address: str, method: str, path: str, body: str, token: str, quoted: str) -> bytes:
    connection = http.client.HTTPConnection(address, timeout=30)
    try:
        headers = {"authorization": f"Bearer {token}", "x-person": quoted, "user-agent": quoted}
        connection.request(method, path, body if method == "POST" else None, headers)
        reply = connection.getresponse()
        raw = reply.read()
        return raw + b"\n".join(f"{k}: {v}".encode() for k, v in reply.getheaders())
    finally:
        connection.close()


def owner_error(space: Space) -> bytes:
    """The owner's own mistake: a body that cannot be read, with a person's data in it."""
    token = (space.provider.folder / "owner.token").read_text().strip()
    connection = http.client.HTTPConnection(space.provider.owner, timeout=30)
    try:
        body = json.dumps({"path": 5, PERSON: PERSON})
        connection.request("POST", "/owner/resources", body, {"authorization": f"Bearer {token}"})
        return connection.getresponse().read()
    finally:
        connection.close()


def leaks(haystacks: dict[str, bytes]) -> list[tuple[str, bytes]]:
    """Where any form of what was planted stands."""
    needles = [form for text in PLANTED for form in forms_of(text)]
    return [(name, needle) for name, raw in haystacks.items() for needle in needles if needle in raw]


def forms_of(text: str) -> list[bytes]:
    """Raw, percent-encoded, JSON-escaped, in base64 at each alignment, and as an unsalted digest."""
    raw = text.encode()
    digest = hashlib.sha256(raw).digest()
    forms = [
        raw,
        urllib.parse.quote(text).encode(),
        json.dumps(text)[1:-1].encode(),
        digest,
        digest.hex().encode(),
        base64.b64encode(digest).rstrip(b"="),
    ]
    for shift in range(3):
        # The middle of what base64 makes of it, whatever stands around it.
        coded = base64.b64encode(b"\0" * shift + raw)
        forms.append(coded[4:-4] if shift else coded[:-4])
    return [f for f in forms if len(f) >= 6]
