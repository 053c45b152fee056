"""Every way to be let in: password, nkey, .creds file, TLS with and without a certificate of ours, another domain."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from cli.backends import reach
from cli.nats_context import BadContext, read_context, with_context
from eventlog import topology
from eventlog.access import Access
from eventlog.connection import Broker, Denied, Unavailable, connect
from eventlog.log import EventLog
from eventlog.nkeys import BadKey, from_creds, from_seed
from eventlog.server import NatsServer, free_port
from services.settings import Settings
from tests import keys
from tests.factories import make_signup
from tests.waiting import SOON_S, eventually

PASSWORD = "p-in-tests"


class Configured(NatsServer):
    """A server with more in its configuration."""

    def __init__(self, folder: Path, more: str, options: dict[str, str] | None = None) -> None:
        self.more = more
        super().__init__(folder, options=options)

    def write_config(self) -> None:
        super().write_config()
        config = self.folder / "nats.conf"
        config.write_text(
            config.read_text().replace("server_name: dripstream", f"server_name: s{self.port}") + self.more
        )


@asynccontextmanager
async def reached(server: NatsServer, access: Access) -> AsyncIterator[Broker]:
    async with connect(server.url, name="test", patience_s=20, access=access) as broker:
        yield broker


async def can_work(server: NatsServer, access: Access) -> Broker:
    """Make everything, store a fact and read it: by request, by pull and by direct get."""
    async with reached(server, access) as broker:
        await topology.init(broker)
        fact = make_signup()
        assert not (await EventLog(broker).append(fact)).duplicate
        assert await EventLog(broker).history(fact.contact) == [fact]
        return broker


async def test_by_nkey(tmp_path: Path) -> None:
    ours, other = keys.pair(keys.USER), keys.pair(keys.USER)
    users = f"authorization {{ users = [ {{ nkey: {ours.public} }} ] }}\n"
    async with Configured(tmp_path, users) as server:
        await can_work(server, Access(nkey_seed=ours.seed))
        with pytest.raises(Denied, match=f"does not let the key {other.public} in") as refused:
            async with reached(server, Access(nkey_seed=other.seed)):
                pass
    assert other.seed not in str(refused.value)


async def test_by_creds_file(tmp_path: Path) -> None:
    """As with Synadia Cloud, or any server that trusts an operator's key."""
    operator, account, user = keys.pair(keys.OPERATOR), keys.pair(keys.ACCOUNT), keys.pair(keys.USER)
    limits = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1, "subs": -1, "data": -1,
              "payload": -1, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}  # fmt: skip
    trust = keys.jwt(operator, operator.public, "test", "operator")
    ours = keys.jwt(operator, account.public, "dripstream", "account", limits=limits)
    file = tmp_path / "test.creds"
    allowed = keys.jwt(account, user.public, "test", "user", subs=-1, data=-1, payload=-1)
    file.write_text(keys.creds(allowed, user.seed))
    system = keys.pair(keys.ACCOUNT)
    theirs = keys.jwt(operator, system.public, "SYS", "account", limits=limits | {"mem_storage": 0, "disk_storage": 0})
    accounts = f"{account.public}: {ours}, {system.public}: {theirs}"
    trusts = (
        f"operator: {trust}\nsystem_account: {system.public}\nresolver: MEMORY\nresolver_preload: {{ {accounts} }}\n"
    )
    async with Configured(tmp_path / "nats", trusts) as server:
        await can_work(server, Access(creds=file))
        stranger = keys.pair(keys.USER)
        file.write_text(keys.creds(keys.jwt(stranger, stranger.public, "x", "user"), stranger.seed))
        with pytest.raises(Denied, match=r"test\.creds"):
            async with reached(server, Access(creds=file)):
                pass


def test_a_key_that_is_none_is_refused_without_being_repeated(tmp_path: Path) -> None:
    good = keys.pair(keys.USER).seed
    file = tmp_path / "bad.creds"
    file.write_text("nothing of the kind")
    mistyped = good[:20] + ("A" if good[20] != "A" else "B") + good[21:]
    for bad in ("", "hello", mistyped, keys.pair(keys.ACCOUNT).seed, keys.pair(keys.USER).public):
        with pytest.raises(BadKey) as refused:
            from_seed(bad)
        assert not bad or bad not in str(refused.value)
    for path in (file, tmp_path / "absent"):
        with pytest.raises(BadKey, match=str(path)):
            from_creds(path)


@pytest.fixture
def authority(tmp_path: Path) -> keys.Authority:
    return keys.Authority(tmp_path / "tls")


def tls(authority: keys.Authority, *, verify: bool = False) -> str:
    cert, key = authority.issue("server")
    wants = f'ca_file: "{authority.ca}", verify: true' if verify else ""
    return f'tls {{ cert_file: "{cert}", key_file: "{key}", {wants} }}\n'


async def test_by_tls(tmp_path: Path, authority: keys.Authority) -> None:
    async with Configured(tmp_path / "nats", tls(authority)) as server:
        await can_work(server, Access(ca=authority.ca))
        with pytest.raises(Denied, match="by TLS: unable to get local issuer certificate"):
            async with reached(server, Access(ca=keys.Authority(tmp_path / "other").ca)):
                pass


async def test_by_a_certificate_of_our_own(tmp_path: Path, authority: keys.Authority) -> None:
    cert, key = authority.issue("client")
    async with Configured(tmp_path / "nats", tls(authority, verify=True)) as server:
        await can_work(server, Access(ca=authority.ca, cert=cert, key=key))
        with pytest.raises(Unavailable):
            async with connect(server.url, name="test", patience_s=3, access=Access(ca=authority.ca)):
                pass


async def test_a_server_without_tls_is_told_no_password(tmp_path: Path, authority: keys.Authority) -> None:
    """Somebody between us and the real one could take the word TLS out of its greeting."""
    async with NatsServer(tmp_path / "nats") as server:
        with pytest.raises(Denied, match="offers no TLS"):
            async with reached(server, Access(user="sender", password=PASSWORD, ca=authority.ca)):
                pass


async def test_a_tls_file_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"absent\.pem"):
        async with connect("nats://127.0.0.1:1", name="test", patience_s=1, access=Access(ca=tmp_path / "absent.pem")):
            pass


async def test_in_the_domain_of_another_server(tmp_path: Path) -> None:
    """Nothing asks for the plain `$JS.API`: behind a leaf node that is another JetStream."""
    port = free_port()
    hub = Configured(tmp_path / "hub", f"leafnodes {{ listen: 127.0.0.1:{port} }}\n", {"domain": "hub"})
    leaf = Configured(
        tmp_path / "leaf", f"leafnodes {{ remotes: [ {{ url: nats://127.0.0.1:{port} }} ] }}\n", {"domain": "leaf"}
    )
    async with hub, leaf:
        await eventually(lambda: answers(leaf, Access(domain="hub")))
        await can_work(leaf, Access(domain="hub"))
        async with reached(hub, Access()) as there, reached(leaf, Access()) as here:
            assert len(await topology.require(there)) == len(topology.streams()) + len(topology.DURABLES)
            with pytest.raises(topology.Incomplete, match="stream EVENTS"):
                await topology.require(here)


async def answers(server: NatsServer, access: Access) -> bool:
    try:
        async with reached(server, access) as broker:
            await replace(broker, timeout_s=1).ping()
    except Unavailable:
        return False
    return True


async def test_what_is_refused_in_a_domain_is_said_at_once(tmp_path: Path) -> None:
    """The rights are those of the plain `$JS.API`, so users.conf need not know the domain."""
    users = 'authorization { users = [ { user: a, password: p, permissions: { publish: { deny: "$JS.API.>" } } } ] }\n'
    access = Access(user="a", password="p", domain="hub")
    async with Configured(tmp_path, users, {"domain": "hub"}) as server, reached(server, access) as broker:
        with pytest.raises(Denied, match=r"\$JS\.hub\.API\.INFO"):
            await asyncio.wait_for(replace(broker, timeout_s=600.0).ping(), SOON_S)


@pytest.fixture
def contexts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "nats" / "context"
    folder.mkdir(parents=True)
    return folder


async def test_by_a_context_of_the_nats_command(contexts: Path, tmp_path: Path) -> None:
    users = 'authorization { users = [ { user: ada, password: "p" } ] }\n'
    async with Configured(tmp_path / "server", users) as server:
        (contexts / "prod.json").write_text(
            f'{{"description": "x", "url": "{server.url}", "user": "ada", "password": "p", "inbox_prefix": "_INBOX_a"}}'
        )
        settings = with_context(Settings.load(nats_context="prod", nats_user="sender"), chosen=True)
        async with reach(settings, name="pending") as broker:
            assert broker.nc.new_inbox().startswith("_INBOX_a.")
            await topology.init(broker)


def test_a_context_has_everything_the_nats_command_writes(contexts: Path, tmp_path: Path) -> None:
    seed = keys.pair(keys.USER).seed
    files = {name: tmp_path / name for name in ("creds", "nkey", "cert", "key", "ca")}
    for file in files.values():
        file.write_text(seed)
    lines = "".join(f', "{name}": "{file}"' for name, file in files.items())
    (contexts / "all.json").write_text(
        f'{{"url": "tls://n:4222", "token": "t", "jetstream_domain": "hub", "nsc": ""{lines}}}'
    )
    (contexts.parent / "context.txt").write_text("all\n")
    found = with_context(Settings.load(nats_context="."), chosen=True)
    assert (found.nats_url, found.nats_domain, found.nats_creds) == ("tls://n:4222", "hub", files["creds"])
    assert (found.nats_tls_cert, found.nats_tls_key, found.nats_tls_ca) == (files["cert"], files["key"], files["ca"])
    assert found.nats_token
    assert found.nats_token.get_secret_value() == "t"
    assert found.nats_nkey_seed
    assert found.nats_nkey_seed.get_secret_value() == seed


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{\n"url": nats\n}', r"bad\.json:2: not JSON"),
        ("[]", r"bad\.json:1: not a JSON object"),
        ('{\n"url": "nats://n",\n"user": 7}', r"bad\.json:3: user is not a text"),
        ('{\n"nsc": "nsc://a/b/c"}', r"bad\.json:2: Dripstream does not do nsc"),
        ('{\n\n"creds": "/absent/x.creds"}', r"bad\.json:3: there is no file /absent/x\.creds"),
    ],
)
def test_a_context_that_cannot_be_used_is_named_with_its_line(contexts: Path, text: str, says: str) -> None:
    (contexts / "bad.json").write_text(text)
    with pytest.raises(BadContext, match=says):
        read_context("bad")


def test_an_unknown_context_lists_those_there_are(contexts: Path) -> None:
    with pytest.raises(BadContext, match="nats context add"):
        read_context("prod")
    (contexts.parent.parent / "secret.json").write_text("{}")
    for name in ("dev", "live"):
        (contexts / f"{name}.json").write_text("{}")
    for name in ("prod", "../../secret", "", "."):
        with pytest.raises(BadContext, match="known: dev, live"):
            read_context(name)


def test_a_context_and_another_broker_in_the_environment_are_not_mixed(contexts: Path) -> None:
    (contexts / "dev.json").write_text('{"url": "nats://dev:4222"}')
    both = Settings.load(nats_context="dev", nats_url="nats://live:4222", nats_user="sender")
    with pytest.raises(BadContext, match="NATS_URL, NATS_USER"):
        with_context(both, chosen=False)
    chosen = with_context(both, chosen=True)
    assert (chosen.nats_url, chosen.nats_user) == ("nats://dev:4222", None)
