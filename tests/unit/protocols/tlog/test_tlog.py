"""A ledger, a follower and a witness, talking over routes: no server, real bytes."""

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from entrepot.identity import PublicKey
from entrepot.ledger import (
    AddCheckpoint,
    EmbeddedLedger,
    Follower,
    Genesis,
    InconsistentError,
    KeyOffer,
    MemberAdmit,
    NoteKey,
    Role,
    SignatureType,
    TransactionState,
    Tree,
    UsageBatch,
    Witness,
    decode_note,
    encode_add_checkpoint,
    leaf_hash,
    make_payload,
    parse_checkpoint,
    sign_transaction,
    verify_consistency,
    verify_entry,
    verify_inclusion,
)
from entrepot.protocols import Call, Proof, Reply, Route
from entrepot.protocols.tlog import (
    Copy,
    LedgerClient,
    Tile,
    ask_witnesses,
    audit,
    decode_bundle,
    decode_hashes,
    encode_bundle,
    encode_hashes,
    follow,
    ledger_routes,
    parse_tile,
    reading_routes,
    refill,
    render_tile,
    witness_routes,
)
from entrepot.values import EntrepotError, MalformedError, NotFoundError, RefusedError, UnavailableError

CHAIN = "ledger.example/space"
CODE = "91350211M000100Y43"


class Key:
    """An Ed25519 key made from its name."""

    def __init__(self, name: str) -> None:
        self._key = SigningKey(sha256(name.encode()).digest())
        self.public = PublicKey("ed25519", bytes(self._key.verify_key))

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data).signature


OPERATOR, ALPHA, LOG, WITNESS = map(Key, ("operator", "alpha", "log", "witness"))
GENESIS = Genesis(
    CHAIN, CODE, "did:web:operator.example#e1", "did:web:operator.example", OPERATOR.public.raw.hex(), 1
)
LOG_KEY = NoteKey(CHAIN, SignatureType.ED25519, LOG.public.raw)
WITNESS_KEY = NoteKey("observer.example", SignatureType.COSIGNATURE, WITNESS.public.raw)


def clock() -> datetime:
    return datetime(2026, 11, 25, 8, tzinfo=UTC)


def admission(name: str) -> bytes:
    did = f"did:web:{name}.example"
    body = MemberAdmit(CODE, did, 1, (KeyOffer(f"{did}#e1", Key(name).public.raw.hex()),), Role.CONNECTOR)
    return signed("operator", OPERATOR, "member.admit", body)


def batch(name: str, number: int) -> bytes:
    previous, root = ("sha256:" + sha256(f"{n}".encode()).hexdigest() for n in (number - 1, number))
    body = UsageBatch(number, previous if number > 1 else None, root)
    return signed(name, Key(name), "usage.batch", body)


def signed(name: str, key: Key, op: str, body: Any) -> bytes:
    did = f"did:web:{name}.example"
    return sign_transaction(
        make_payload(chain=CHAIN, height=0, actor=did, key=f"{did}#e1", op=op, body=body), key
    )


class Network:
    """Routes reached by address; errors become what the node makes of them."""

    def __init__(self) -> None:
        self.hosts: dict[str, list[Route]] = {}
        self.change: Callable[[str, Reply], Reply] = lambda _url, reply: reply

    async def __call__(
        self,
        method: str,
        url: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        max_bytes: int = 1 << 20,
    ) -> Reply:
        parts = urlsplit(url)
        for route in self.hosts.get(parts.netloc, []):
            match = re.fullmatch(pattern(route.path), parts.path)
            if match and route.method == method:
                assert len(body) <= route.max_bytes <= max_bytes
                call = Call(match.groupdict(), body, headers or {}, dict(parse_qsl(parts.query)))
                return self.change(url, await answer(route, call))
        raise UnavailableError(f"nobody at {url}")


def pattern(path: str) -> str:
    whole = re.sub(r"\{(\w+):path\}", r"(?P<\1>.+)", path)
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", whole)


async def answer(route: Route, call: Call) -> Reply:
    try:
        response = await route.handle(call)
    except EntrepotError as error:
        reasons = list(error.reasons) if isinstance(error, RefusedError) else []
        return Reply(error.status, msgspec.json.encode({"reasons": reasons, "title": "x"}), {})
    return Reply(response.status, response.body, {"content-type": response.media_type})


class World:
    """One ledger with its witness and follower at an observer, and the network between them."""

    def __init__(self, folder: Path, *, witnessed: bool = True) -> None:
        self.folder, self.network = folder, Network()
        self.witness = Witness(folder / "witness.db", "observer.example", WITNESS, [LOG_KEY], clock)
        self.follower = Follower(folder / "follower.db", GENESIS, LOG_KEY)
        self.network.hosts["observer"] = [
            *witness_routes(self.witness, ""),
            *reading_routes(lambda: Copy(GENESIS, self.follower.log, lambda: self.follower.note), "/copy"),
        ]
        self.client = LedgerClient(self.network, "https://ledger/l", LOG_KEY)
        self.copy = LedgerClient(self.network, "https://observer/copy", LOG_KEY)
        self.start(folder / "ledger.db", witnessed=witnessed)

    def start(self, path: Path, *, witnessed: bool = True) -> None:
        witnesses = [WITNESS_KEY] if witnessed else []
        self.ledger = EmbeddedLedger(path, GENESIS, LOG, clock=clock, witnesses=witnesses)
        self.network.hosts["ledger"] = ledger_routes(self.ledger, GENESIS, "/l")

    async def round(self) -> dict[str, str]:
        return await ask_witnesses(self.ledger, self.network, {"observer.example": "https://observer"})

    async def commit(self, *transactions: bytes) -> list[str]:
        names = [await self.client.submit(raw) for raw in transactions]
        for name in names:
            await asyncio.wrap_future(self.ledger.outcome(name))
        return names

    def close(self) -> None:
        self.ledger.close()
        self.follower.close()
        self.witness.close()


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with closing(World(tmp_path)) as one:
        yield one


def test_a_transaction_walks_from_submission_to_a_witnessed_proof(world: World) -> None:
    """Everything a connector does with a ledger, over the wire."""

    async def scenario() -> None:
        assert await world.round() == {}
        (name,) = await world.commit(admission("alpha"))
        with pytest.raises(NotFoundError):
            await world.client.proof(name)
        assert (await world.client.status(name)).state is TransactionState.COMMITTED
        assert await world.round() == {}
        assert (await world.client.status(name)).state is TransactionState.WITNESSED
        checkpoint = verify_entry(admission("alpha"), await world.client.proof(name), LOG_KEY)
        standing = await world.client.standing()
        assert (standing.size, standing.witnessed, standing.ordering) == (2, checkpoint.size, True)

    asyncio.run(scenario())


def test_a_refusal_comes_back_with_its_reason(world: World) -> None:
    """A sender learns why, in the machine's own word, and what is malformed is told apart."""

    async def scenario() -> None:
        with pytest.raises(UnavailableError):
            await world.client.submit(admission("alpha"))
        await world.round()
        with pytest.raises(RefusedError) as caught:
            await world.client.submit(batch("alpha", 1))
        assert caught.value.reasons == ("not-a-member",)
        with pytest.raises(MalformedError):
            await world.client.submit(b"x" * 200)
        unknown = "sha256:" + "0" * 64
        assert (await world.client.status(unknown)).state is TransactionState.UNKNOWN
        with pytest.raises(MalformedError):
            await world.client.status("nonsense")

    asyncio.run(scenario())


def test_a_follower_follows_and_audits_over_the_wire(world: World) -> None:
    """It holds what the ledger holds; a row that the ledger serves otherwise is named."""

    async def scenario() -> None:
        await world.round()
        await world.commit(admission("alpha"))
        await world.commit(*(batch("alpha", n) for n in range(1, 30)))
        await world.round()
        assert await world.client.genesis() == GENESIS
        await follow(world.follower, world.client)
        assert (await audit(world.follower, world.client)).differences == ()
        world.network.change = lambda url, reply: (
            Reply(200, reply.body[:-1] + b"!", {}) if "/l/entries" in url else reply
        )
        (found,) = (await audit(world.follower, world.client)).differences
        assert found.number == world.follower.size - 1

    asyncio.run(scenario())


def test_a_restored_backup_is_refilled_over_the_wire(world: World) -> None:
    """The ledger comes back empty, says so, is refilled from the observer's copy, and orders again."""

    async def scenario() -> None:
        await world.round()
        await world.commit(admission("alpha"))
        await world.round()
        await follow(world.follower, world.client)
        world.ledger.close()
        world.start(world.folder / "restored.db")
        for _ in range(2):
            assert "observer.example" in await world.round()
        assert world.ledger.standing().behind == 2
        with pytest.raises(UnavailableError):
            await world.client.submit(batch("alpha", 1))
        assert (await refill(world.ledger, world.copy)).size == 2
        while not world.ledger.standing().ordering:
            await world.round()
        await world.commit(batch("alpha", 1))
        assert await world.round() == {}
        await follow(world.follower, world.client)

    asyncio.run(scenario())


def test_a_witness_that_holds_another_history_is_reported(world: World, tmp_path: Path) -> None:
    """A ledger must not go on quietly beside a witness that has seen something else."""

    async def scenario() -> None:
        await world.round()
        await world.commit(admission("alpha"))
        await world.round()
        world.ledger.close()
        world.start(tmp_path / "other.db", witnessed=False)
        await world.commit(admission("beta"), admission("gamma"))
        world.ledger.close()
        world.start(tmp_path / "other.db")
        for _ in range(3):
            problems = await world.round()
        assert "another history" in problems["observer.example"]
        assert not world.ledger.standing().ordering

    asyncio.run(scenario())


def test_what_no_witness_answers_is_told_and_changes_nothing(world: World) -> None:
    """Silence, nonsense and refusals leave the gate shut."""

    async def scenario() -> None:
        for reply in (
            Reply(500, b"", {}),
            Reply(200, b"nonsense", {}),
            Reply(403, b"", {}),
            Reply(409, b"", {}),
            Reply(404, b"", {}),
        ):
            world.network.change = lambda _url, _reply, given=reply: given
            assert set(await world.round()) == {"observer.example"}
        world.network.change = lambda _url, _reply: Reply(409, b"07\n", {"content-type": "text/x.tlog.size"})
        assert set(await world.round()) == {"observer.example"}
        world.network.hosts.pop("observer")
        assert "nobody" in (await world.round())["observer.example"]
        assert not world.ledger.standing().ordering

    asyncio.run(scenario())


def test_tiles_and_proofs_rebuild_the_published_root(tmp_path: Path) -> None:
    """A reader with tiles alone, or with ready-made proofs, comes to the root that the log signed."""

    async def scenario(world: World) -> None:
        await world.commit(admission("alpha"))
        await world.commit(*(batch("alpha", n) for n in range(1, 290)))
        note = await world.client.checkpoint()
        checkpoint = parse_checkpoint(decode_note(note).text)
        size = checkpoint.size
        assert size > 256
        get = world.client._get
        full = size // 256
        tiles = [Tile(n) for n in range(full)] + ([Tile(full, size % 256)] if size % 256 else [])
        hashes = b"".join([(await get(f"tile/0/{render_tile(tile)}")).body for tile in tiles])
        leaves = [hashes[at : at + 32] for at in range(0, len(hashes), 32)]
        assert Tree(leaves).root() == checkpoint.root
        assert (await get("tile/1/000.p/1")).body == Tree(leaves[:256]).root()
        entries = decode_bundle((await get("tile/entries/000")).body)
        assert [leaf_hash(entry) for entry in entries] == leaves[:256]
        path = decode_hashes((await get(f"proof/inclusion?number=7&size={size}")).body)
        verify_inclusion(leaves[7], 7, size, path, checkpoint.root)
        path = decode_hashes((await get(f"proof/consistency?old=9&size={size}")).body)
        verify_consistency(9, Tree(leaves[:9]).root(), size, checkpoint.root, path)
        beyond = render_tile(Tile(full, size % 256 + 1))
        for missing in (f"tile/0/{beyond}", "tile/9/000", "tile/1/000", f"entries?start=0&end={size + 1}"):
            with pytest.raises(NotFoundError):
                await get(missing)
        for bad in (
            "tile/0/1",
            "tile/0/000.p/256",
            "entries?start=-1&end=1",
            "entries?start=5",
            "proof/transaction/x",
        ):
            with pytest.raises(MalformedError):
                await get(bad)

    with closing(World(tmp_path, witnessed=False)) as world:
        asyncio.run(scenario(world))


def test_the_witness_answers_with_the_standards_numbers(world: World) -> None:
    """200, 400, 403, 404, 409 with a size, and 422: another implementation's log must understand us."""
    stranger = Key("stranger")

    def note(key: Key, origin: str, size: int, root: bytes) -> bytes:
        from entrepot.ledger import Checkpoint, Note, encode_note, sign_checkpoint  # beside their use

        one = Checkpoint(origin, size, root)  # type: ignore[arg-type]  # any bytes will do
        named = NoteKey(origin, SignatureType.ED25519, key.public.raw)
        return encode_note(Note(one.text, (sign_checkpoint(one, key, named),)))

    tree = Tree(map(leaf_hash, [b"a", b"b", b"c"]))
    fork = Tree(map(leaf_hash, [b"a", b"x", b"c"]))

    async def post(old: int, proof: tuple[Any, ...], signed_note: bytes) -> Reply:
        body = encode_add_checkpoint(AddCheckpoint(old, proof, signed_note))
        return await world.network("POST", "https://observer/add-checkpoint", body)

    async def scenario() -> None:
        answers = [
            (await post(0, (), note(LOG, CHAIN, 2, tree.root(2)))).status,
            (await post(2, (), note(LOG, CHAIN, 1, tree.root(1)))).status,
            (await post(2, (), note(stranger, CHAIN, 3, tree.root()))).status,
            (await post(2, (), note(LOG, "other.example", 3, tree.root()))).status,
            (await post(2, (), note(LOG, CHAIN, 2, fork.root(2)))).status,
            (await post(2, fork.prove_consistency(2), note(LOG, CHAIN, 3, fork.root()))).status,
        ]
        assert answers == [200, 400, 403, 404, 409, 422]
        conflict = await post(0, (), note(LOG, CHAIN, 3, tree.root()))
        assert (conflict.status, conflict.body) == (409, b"2\n")
        assert conflict.headers["content-type"] == "text/x.tlog.size"
        assert (await world.network("POST", "https://observer/add-checkpoint", b"x")).status == 400

    asyncio.run(scenario())


def test_every_route_names_its_proof(world: World) -> None:
    """Only what carries a signature may be written; all else is reading."""
    routes = [*ledger_routes(world.ledger, GENESIS, ""), *witness_routes(world.witness, "")]

    assert {r.path for r in routes if r.proof is Proof.LOG_SIGNATURE} == {"/transactions", "/add-checkpoint"}
    assert {r.method for r in routes if r.proof is Proof.NONE} == {"GET"}


@pytest.mark.parametrize(
    ("index", "width", "path"),
    [
        (0, 256, "000"),
        (5, 3, "005.p/3"),
        (1234067, 256, "x001/x234/067"),
        (999, 255, "999.p/255"),
        (1000, 1, "x001/000.p/1"),
    ],
)
def test_tiles_have_the_paths_of_the_standard(index: int, width: int, path: str) -> None:
    """Other readers build these paths themselves."""
    assert render_tile(Tile(index, width)) == path
    assert parse_tile(path) == Tile(index, width)


@given(st.integers(0, 10**12), st.integers(1, 256))
def test_a_tile_path_reads_back(index: int, width: int) -> None:
    """One tile, one path."""
    assert parse_tile(render_tile(Tile(index, width))) == Tile(index, width)


@pytest.mark.parametrize(
    "path", ["", "0", "x000/000", "000.p/0", "000.p/256", "000.p/300", "x1/000", "000/", "٠٠٠"]
)
def test_other_paths_are_no_tiles(path: str) -> None:
    """A second path for a tile would be a second thing to cache and to check."""
    with pytest.raises(MalformedError):
        parse_tile(path)


@given(st.lists(st.binary(max_size=70), max_size=9), st.binary(max_size=80))
def test_bundles_and_hashes_read_back_or_not_at_all(entries: list[bytes], noise: bytes) -> None:
    """What decodes is exactly what was encoded."""
    assert decode_bundle(encode_bundle(entries)) == entries
    hashes = tuple(leaf_hash(entry) for entry in entries)
    assert decode_hashes(encode_hashes(hashes)) == hashes
    for decode, encode in ((decode_bundle, encode_bundle), (decode_hashes, encode_hashes)):
        try:
            assert encode(decode(noise)) == noise
        except EntrepotError:
            continue


def test_pages_that_give_too_much_or_nothing_are_refused(world: World) -> None:
    """A lying ledger must not make its reader loop or hold more than was asked for."""

    async def scenario() -> None:
        for page in ([], [b"x"] * 9):
            world.network.change = lambda _url, _reply, given=page: Reply(200, encode_bundle(given), {})
            with pytest.raises(MalformedError):
                await world.client.entries(0, 3)

    asyncio.run(scenario())


def test_a_checkpoint_of_another_key_is_not_followed(world: World) -> None:
    """Whoever sits between cannot put up a log of its own."""

    async def scenario() -> None:
        client = LedgerClient(
            world.network, "https://ledger/l", NoteKey(CHAIN, SignatureType.ED25519, bytes(32))
        )
        with pytest.raises(EntrepotError):
            await follow(world.follower, client)
        assert not isinstance(world.follower, InconsistentError)

    asyncio.run(scenario())


@pytest.mark.parametrize("body", [b'{"id":"\xff"}', b'{"id":' + b"[" * 100_000, b"[]", b""])
def test_an_answer_that_is_none_is_refused(body: bytes) -> None:
    """A ledger that answers with anything must not stop the loop that asks it."""

    async def call(*_args: object, **_more: object) -> Reply:
        return Reply(200, body, {})

    client = LedgerClient(call, "https://ledger", LOG_KEY)
    with pytest.raises(MalformedError):
        asyncio.run(client.standing())
