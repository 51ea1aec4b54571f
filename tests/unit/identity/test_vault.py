"""The vault: opens with its passphrase only, for its owner only, and gives no secret away."""

import os
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.identity import KeyJob, Vault, verify_signature
from entrepot.identity import vault as module
from entrepot.values import Did, EntrepotError, MalformedError, TrustError

ME = Did("did:web:alice.example")
PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Vault]:
    path = tmp_path_factory.mktemp("node") / "vault"
    return path, Vault.create(path, PASSPHRASE, ME)


@pytest.fixture(scope="module")
def vault(made: tuple[Path, Vault]) -> Vault:
    return made[1]


def test_a_vault_opens_with_the_keys_that_it_was_made_with(made: tuple[Path, Vault]) -> None:
    """A node that lost its keys at a restart could prove nothing of what it signed before."""
    path, vault = made
    opened = Vault.open(path, PASSPHRASE)

    assert opened.did == ME
    assert opened.derive("door", b"1") == vault.derive("door", b"1")
    assert opened.unseal(vault.seal(b"token")) == b"token"
    for job in module.SIGNING:
        assert opened.signer(job).key_id == f"{ME}#{job}-1"
        verify_signature(vault.signer(job).public, b"data", opened.signer(job).sign(b"data"))


def test_each_job_has_a_key_of_its_own(vault: Vault) -> None:
    """A token of one job must not pass for one of another."""
    assert len({vault.signer(job).public for job in module.SIGNING} | {vault.receiver.public}) == len(KeyJob)
    assert vault.signer(KeyJob.IDENTITY).public.suite == "es256"
    assert vault.signer(KeyJob.EVIDENCE).public.suite == "ed25519"


@pytest.mark.parametrize("wrong", ["", "correct horse battery staplE", PASSPHRASE + " ", PASSPHRASE.upper()])
def test_a_wrong_passphrase_opens_nothing(made: tuple[Path, Vault], wrong: str) -> None:
    with pytest.raises(TrustError) as caught:
        Vault.open(made[0], wrong)
    assert PASSPHRASE not in str(caught.value)


@pytest.mark.parametrize("place", [0, 18, 19, 35, 46, 60, 200, -1])
def test_a_changed_vault_is_refused(made: tuple[Path, Vault], tmp_path: Path, place: int) -> None:
    """One flipped bit anywhere, in salt, nonce or content, and no key comes out."""
    raw = bytearray(made[0].read_bytes())
    raw[place] ^= 1
    _copy(tmp_path / "vault", bytes(raw))

    with pytest.raises(EntrepotError):
        Vault.open(tmp_path / "vault", PASSPHRASE)


@pytest.mark.parametrize("raw", [b"", b"entrepot/vault/v1\n", b"entrepot/vault/v1\n" + bytes(20), b"{}"])
def test_what_is_no_vault_is_refused(tmp_path: Path, raw: bytes) -> None:
    _copy(tmp_path / "vault", raw)

    with pytest.raises(MalformedError):
        Vault.open(tmp_path / "vault", PASSPHRASE)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o666])
def test_a_vault_that_others_may_touch_is_refused(
    made: tuple[Path, Vault], tmp_path: Path, mode: int
) -> None:
    """A copied backup with loose rights is noticed before it is relied on."""
    _copy(tmp_path / "vault", made[0].read_bytes(), mode)

    with pytest.raises(TrustError, match="0600"):
        Vault.open(tmp_path / "vault", PASSPHRASE)


def test_a_missing_vault_is_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(TrustError, match="entrepot init"):
        Vault.open(tmp_path / "vault", PASSPHRASE)


def test_an_existing_vault_is_never_written_over(made: tuple[Path, Vault]) -> None:
    """A second `init` in the same folder would destroy every key of the node."""
    path = made[0]
    before = path.read_bytes()

    with pytest.raises(TrustError, match="not written over"):
        Vault.create(path, PASSPHRASE, ME)

    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["vault"]


def test_a_vault_is_private_whatever_the_umask_says(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        Vault.create(tmp_path / "vault", PASSPHRASE, ME, [KeyJob.WITNESS])
    finally:
        os.umask(before)

    assert (tmp_path / "vault").stat().st_mode & 0o777 == 0o600


def test_the_file_holds_no_secret_in_the_clear(made: tuple[Path, Vault]) -> None:
    """What lies on the disk is worth nothing without the passphrase."""
    path, vault = made
    raw = path.read_bytes()

    for secret in _secrets_of(vault):
        assert secret not in raw
        assert secret.hex().encode() not in raw
    assert PASSPHRASE.encode() not in raw


def test_a_vault_shows_no_secret(vault: Vault) -> None:
    """Neither a log line nor a traceback with its values gives a key away."""
    content = module._Content(ME, (module._StoredKey("id", "identity", "5ec7e7", "es256"),), "5ec7e7")

    for secret in _secrets_of(vault):
        assert secret.hex() not in f"{vault!r} {vault} {vault.signers}"
    assert "5ec7e7" not in f"{content!r} {content} {content.keys}"
    assert not hasattr(vault, "__dict__")


def test_no_secret_is_in_the_text_of_a_fault(made: tuple[Path, Vault], vault: Vault) -> None:
    sealed = bytearray(vault.seal(b"door token"))
    sealed[-1] ^= 1
    for fault in (
        lambda: Vault.open(made[0], "wrong passphrase"),
        lambda: vault.unseal(bytes(sealed)),
        lambda: Vault.create(made[0], PASSPHRASE, ME),
    ):
        with pytest.raises(TrustError) as caught:
            fault()
        text = "".join(traceback.format_exception(caught.value))
        shown = [line for line in text.splitlines() if "lambda" not in line]
        assert "wrong passphrase" not in "\n".join(shown).replace("the passphrase is wrong", "")
        assert "door token" not in text


@given(secret=st.binary(max_size=300), place=st.integers(0, 10_000), bit=st.integers(0, 7))
def test_what_is_sealed_comes_back_whole_or_not_at_all(
    vault: Vault, secret: bytes, place: int, bit: int
) -> None:
    sealed = vault.seal(secret)
    changed = bytearray(sealed)
    changed[place % len(changed)] ^= 1 << bit

    assert vault.unseal(sealed) == secret
    assert vault.seal(secret) != sealed
    with pytest.raises(TrustError):
        vault.unseal(bytes(changed))


@given(raw=st.binary(max_size=60))
def test_what_others_sealed_is_refused(vault: Vault, raw: bytes) -> None:
    with pytest.raises(TrustError):
        vault.unseal(raw)


@given(label=st.text(max_size=20), data=st.binary(max_size=40), other=st.binary(max_size=40))
def test_derived_secrets_are_the_same_again_and_otherwise_different(
    vault: Vault, label: str, data: bytes, other: bytes
) -> None:
    """A door token is derived anew for every repeat, and no two doors share one."""
    assert vault.derive(label, data) == vault.derive(label, data)
    assert len(vault.derive(label, data)) == 32
    assert vault.derive(label, data) != vault.derive(label + "!", data)
    if other != data:
        assert vault.derive(label, data) != vault.derive(label, other)


def test_a_job_without_a_key_is_refused(tmp_path: Path) -> None:
    witness = Vault.create(tmp_path / "vault", PASSPHRASE, ME, [KeyJob.WITNESS])

    with pytest.raises(TrustError, match="evidence"):
        witness.signer(KeyJob.EVIDENCE)


def _copy(path: Path, raw: bytes, mode: int = 0o600) -> None:
    path.write_bytes(raw)
    path.chmod(mode)


def _secrets_of(vault: Vault) -> list[bytes]:
    return [vault._root, *(s._key.secret() for s in vault.signers.values())]
