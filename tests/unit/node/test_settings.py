"""Settings: what is refused, and that what is written is read again."""

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrepot.node.settings import Settings, SettingsError, is_loopback, write_settings

GOOD = """
did = "did:web:node.example"
roles = ["connector"]
[listen]
public = "127.0.0.1:9001"
owner = "127.0.0.1:9002"
url = "http://127.0.0.1:9001"
[space]
name = "harbour"
platform = "did:web:platform.example"
platform_url = "https://platform.example"
ledger_url = "https://platform.example/ledger"
ledger_origin = "platform.example/ledger"
ledger_key = "key"
[party]
name = "node"
"""


_PEER = '{ did = "did:web:edc.example", base = "http://127.0.0.1:9" }'


def read(folder: Path, text: str) -> Settings:
    path = folder / "entrepot.toml"
    path.write_text(text)
    return Settings.read(path)


def test_a_good_file_is_read_with_defaults(tmp_path: Path) -> None:
    """Who says nothing gets the times of the design."""
    settings = read(tmp_path, GOOD)

    assert (settings.status.max_age, settings.status.resign, settings.messages.follow_up) == (60.0, 30.0, 0.2)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("[party]", "[party]\nnick = 'x'"), "nick"),
        (('roles = ["connector"]', "roles = []"), "at least one role"),
        (('roles = ["connector"]', 'roles = ["king"]'), "king"),
        (('owner = "127.0.0.1:9002"', 'owner = "192.0.2.1:9002"'), "loopback"),
        (('public = "127.0.0.1:9001"', 'public = "192.0.2.1:9001"'), "TLS"),
        (('public = "127.0.0.1:9001"', 'public = "nowhere"'), "host:port"),
        (('url = "http://127.0.0.1:9001"', 'url = "http://127.0.0.1:9001/"'), "slash"),
        (("[party]", "[messages]\nunasked_offers = -1\n[party]"), "unasked_offers"),
        (("[party]", "[status]\nmax_age = 'long'\n[party]"), "max_age"),
        (("[space]", "[space"), "entrepot.toml"),
        (('ledger_key = "key"', 'ledger_key = "key"\nquorum = 1'), "witnesses"),
        (("[party]", "[guests]\nscopes = ['everything']\n[party]"), "guests.scopes"),
        (("[party]", f"[identity]\ninsecure_peers = [{_PEER}]\n[party]"), "names no identity"),
        (
            (
                "[party]",
                f"[identity]\ninsecure_test = 'edc-mock'\ninsecure_peers = [{_PEER}, {_PEER}]\n[party]",
            ),
            "told apart",
        ),
        (
            ("[party]", f"[identity]\ninsecure_test = 'static-token'\ninsecure_peers = [{_PEER}]\n[party]"),
            "token of its own",
        ),
        (("[party]", "[identity]\ninsecure_test = 'any'\n[party]"), "insecure_test"),
        (("[party]", "[guests]\nscopes = []\n[party]"), "at least one"),
        (
            ('["connector"]', '["platform"]\nguests = { issuers = ["did:web:other.example"] }'),
            "only a connector",
        ),
    ],
)
def test_what_would_weaken_the_node_is_refused_by_name(
    tmp_path: Path, change: tuple[str, str], says: str
) -> None:
    """A typo in a settings file must never be a default that nobody chose."""
    with pytest.raises(SettingsError, match=says):
        read(tmp_path, GOOD.replace(*change))


def test_a_missing_file_says_what_makes_one(tmp_path: Path) -> None:
    """The first thing that a newcomer meets."""
    with pytest.raises(SettingsError, match="entrepot init"):
        Settings.read(tmp_path / "entrepot.toml")


@given(name=st.text(max_size=30), age=st.floats(0.1, 1e6), origins=st.lists(st.text(max_size=20), max_size=3))
def test_what_is_written_is_read_again(
    tmp_path_factory: pytest.TempPathFactory, name: str, age: float, origins: list[str]
) -> None:
    """Commands rewrite settings files; none may lose or change a value."""
    folder = tmp_path_factory.mktemp("settings")
    plain = msgspec.to_builtins(read(folder, GOOD))
    plain["party"]["name"] = name
    plain["status"]["max_age"] = age
    plain["outgoing"]["allow_private"] = origins
    settings = msgspec.convert(plain, Settings)
    write_settings(settings, folder / "again.toml")

    assert Settings.read(folder / "again.toml") == settings


def test_loopback_is_told_from_everything_else() -> None:
    """The owner's port depends on it."""
    assert [is_loopback(h) for h in ("127.0.0.1", "127.9.9.9", "::1", "localhost")] == [True] * 4
    assert [is_loopback(h) for h in ("0.0.0.0", "10.0.0.1", "example.org", "")] == [False] * 4


@pytest.mark.parametrize(
    ("workers", "database", "roles"),
    [
        (0, "postgresql://node@db.example/node", '"connector"'),
        (2, "sqlite:///node.db", '"connector"'),
        (2, "postgresql://node@db.example/node", '"platform", "ledger"'),
        (2, "postgresql://node@db.example/node", '"observer"'),
    ],
)
def test_only_what_can_be_shared_is_given_to_several_workers(
    tmp_path: Path, workers: int, database: str, roles: str
) -> None:
    """A SQLite file, a ledger and a witness have one process each; two would contradict each other."""
    text = f'database = "{database}"\nworkers = {workers}\n' + GOOD.replace('"connector"', roles)

    with pytest.raises(SettingsError, match="worker"):
        read(tmp_path, text)


def test_several_workers_share_a_connector_on_postgresql(tmp_path: Path) -> None:
    """What works is not refused."""
    text = 'database = "postgresql://node@db.example/node"\nworkers = 4\n' + GOOD

    assert read(tmp_path, text).workers == 4


def test_a_password_has_no_place_in_the_settings(tmp_path: Path) -> None:
    """Settings are copied, shown and sent to whoever helps."""
    with pytest.raises(SettingsError, match="password"):
        read(tmp_path, 'database = "postgresql://node:secret@db.example/node"\n' + GOOD)


def test_a_certificate_without_its_key_is_refused(tmp_path: Path) -> None:
    """Half of TLS would be none, and nobody would have said so."""
    half = GOOD.replace("[listen]", '[listen]\ntls_certificate = "certificate.pem"')

    with pytest.raises(SettingsError, match="tls_key"):
        read(tmp_path, half)


def test_a_test_identity_is_for_this_machine_alone(tmp_path: Path) -> None:
    """Whoever could reach the port would be whom it says it is."""
    open_to_all = GOOD.replace('public = "127.0.0.1:9001"', 'public = "192.0.2.1:9001"')
    text = open_to_all.replace("[listen]", "[identity]\ninsecure_test = 'edc-mock'\n[listen]")
    text = text.replace("[space]", "insecure_http_beyond_loopback = true\n[space]")

    with pytest.raises(SettingsError, match="loopback only"):
        read(tmp_path, text)


def test_listed_peers_are_written_and_read_again(tmp_path: Path) -> None:
    """A peer that gets lost in the file is a connector that is suddenly refused."""
    peer = _PEER.replace(" }", ', origins = ["http://127.0.0.1:10"], token = "0123456789abcdef" }')
    settings = read(
        tmp_path, GOOD + f"[identity]\ninsecure_test = 'static-token'\ninsecure_peers = [{peer}]\n"
    )

    write_settings(settings, tmp_path / "entrepot.toml")

    assert Settings.read(tmp_path / "entrepot.toml") == settings
    assert settings.identity.insecure_peers[0].origins == ("http://127.0.0.1:10",)
