"""docs/server.md as an operator follows it, on a clean server with a real systemd."""

import json
import re

import pytest

from tests.e2e.people import PEOPLE, Person
from tests.systemd.conftest import GIVEN, PYTHON, SANDBOX, Installed
from tests.systemd.server import CHECKOUT, INSTALL_S, Server

PORTS = {"ingest": 8000, "scheduler": 8081, "sender": 8082, "notion-sync": 8083, "notifier": 8084}
SERVICES = tuple(PORTS)
CRITICAL = next(person for person in PEOPLE if person.segment == "CRITICAL")
POST = """
import datetime, json, pathlib, sys, urllib.error, urllib.request
from standardwebhooks import Webhook
body, now = pathlib.Path('/root/form.json').read_text(), datetime.datetime.now(datetime.UTC)
secret = pathlib.Path('/etc/dripstream/secrets/SIGNUP_WEBHOOK_SECRET').read_text().strip()
headers = {'webhook-id': 'msg_' + str(now.timestamp()), 'webhook-timestamp': str(int(now.timestamp())),
           'webhook-signature': Webhook(secret).sign('msg_' + str(now.timestamp()), now, body)}
request = urllib.request.Request('http://127.0.0.1:8000/webhook/christmas-signup', body.encode(),
                                 {'content-type': 'application/json', **(headers if sys.argv[1] == 'signed' else {})})
try:
    print(urllib.request.urlopen(request, timeout=60).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


def sign_up(machine: Server, person: Person, how: str = "signed") -> int:
    """To systemd and to install.sh a service runs as soon as it is alive; it takes signups once it is ready."""
    machine.eventually(get(f"http://127.0.0.1:{PORTS['ingest']}/ready"))
    machine.do(f"cat >/root/form.json <<'EOF'\n{json.dumps(person.form())}\nEOF")
    machine.do(f"cat >/root/post.py <<'EOF'{POST}EOF")
    return int(machine.do(f"{PYTHON} /root/post.py {how}"))


def get(url: str) -> str:
    return f"{PYTHON} -c \"import urllib.request as u; print(u.urlopen('{url}').read().decode())\""


def has_mail(person: Person) -> str:
    return f"{get(f'{SANDBOX}/_control/mails')} | grep -q {person.email}"


def told(person: Person) -> str:
    return f"grep -q {person.first_name} /root/told"


def test_the_first_installation_runs_all_that_has_its_secrets(installed: Installed) -> None:
    waiting = {"sender", "notion-sync", "notifier"}
    assert installed.before == {name: name not in waiting for name in installed.before}
    assert {name for name in SERVICES if f"dripstream-{name} waits for its secret" in installed.first} == waiting
    assert "Dripstream runs." in installed.first


@pytest.mark.parametrize("service", SERVICES)
def test_each_service_answers_once_it_has_its_secret(machine: Server, service: str) -> None:
    assert machine.is_active(f"dripstream-{service}")
    port = (
        8000
        if service == "ingest"
        else int(machine.shows(f"dripstream-{service}", "Environment").split("HEALTH_PORT=")[1][:4])
    )
    machine.eventually(f"{PYTHON} -c \"import urllib.request as u; u.urlopen('http://127.0.0.1:{port}/ready')\"")


def test_a_signup_becomes_an_email_and_an_alert(machine: Server, installed: Installed) -> None:
    person = CRITICAL.again(email="first@example.com", first_name="Firstname")
    assert sign_up(machine, person) == 202
    machine.eventually(has_mail(person))
    machine.eventually(told(person))


@pytest.mark.parametrize("service", SERVICES[1:])
def test_only_ingest_is_reached_from_outside(machine: Server, service: str) -> None:
    outside = machine.do("hostname -I").split()[0]
    assert "alive" in machine.do(get(f"http://{outside}:{PORTS['ingest']}/health"))
    assert machine(get(f"http://{outside}:{PORTS[service]}/health")).code != 0


def test_what_was_installed_and_not_started_is_started_by_the_next_run(machine: Server) -> None:
    before = machine.shows("dripstream-ingest", "MainPID")
    machine.do(f"echo >>{CHECKOUT}/docs/server.md")
    try:
        machine.install("--no-start")
        assert machine.shows("dripstream-ingest", "MainPID") == before
        machine.install()
        after = machine.shows("dripstream-ingest", "MainPID")
        assert after != before
        machine.install()
        assert machine.shows("dripstream-ingest", "MainPID") == after
    finally:
        machine.do(f"cp /src/docs/server.md {CHECKOUT}/docs/server.md")
        machine.install()


def test_what_is_not_signed_is_refused_from_the_first_start_on(machine: Server) -> None:
    assert sign_up(machine, CRITICAL, "unsigned") == 401


def test_another_installation_changes_nothing_and_starts_nothing_again(machine: Server) -> None:
    units = [f"dripstream-{name}" for name in ("nats", *SERVICES)]
    content = "cd /etc/dripstream && find . -type f | sort | xargs sha256sum; readlink /opt/dripstream/current"
    before = [machine.do(content), [machine.shows(unit, "MainPID") for unit in units]]
    assert "wrote" not in machine.install()
    assert [machine.do(content), [machine.shows(unit, "MainPID") for unit in units]] == before


def test_a_service_has_a_user_of_its_own_and_its_own_secrets_alone(machine: Server) -> None:
    pids = {name: machine.shows(f"dripstream-{name}", "MainPID") for name in ("nats", *SERVICES)}
    users = {machine.do(f"stat -c %u /proc/{pid}").strip() for pid in pids.values()}
    assert len(users) == len(pids)
    assert "0" not in users
    seen = machine.do(f"nsenter -t {pids['sender']} -m ls /run/credentials/dripstream-sender.service").split()
    assert seen == ["NATS_PASSWORD", "RESEND_API_KEY"]
    assert all(
        secret not in machine.do(f"tr '\\0' '\\n' </proc/{pid}/environ")
        for pid in pids.values()
        for secret in GIVEN.values()
    )


def test_logs_are_apart_with_a_limit_of_their_own(machine: Server) -> None:
    machine.eventually("journalctl --namespace=dripstream --output=cat --unit=dripstream-sender | grep started")
    assert "with-secrets" not in machine.do("journalctl --no-pager --identifier=with-secrets --output=cat")
    said = machine.do("journalctl --namespace=dripstream --no-pager --identifier=systemd-journald --output=cat")
    assert re.search(r"max 1(\.0)?G,", said)
    before = machine.do("ls /var/log/journal/*.dripstream").split()
    machine.do("journalctl --namespace=dripstream --rotate")
    assert len(machine.do("ls /var/log/journal/*.dripstream").split()) > len(before)


def test_a_killed_service_comes_back_and_does_what_came_meanwhile(machine: Server) -> None:
    person = CRITICAL.again(email="meanwhile@example.com", first_name="Meanwhile")
    before = machine.shows("dripstream-sender", "MainPID")
    machine.do("systemctl kill --signal=KILL dripstream-sender")
    assert sign_up(machine, person) == 202
    machine.eventually(has_mail(person))
    assert machine.shows("dripstream-sender", "MainPID") not in {before, "0"}
    assert int(machine.shows("dripstream-sender", "NRestarts")) >= 1


def test_a_killed_broker_comes_back_with_all_it_had_acknowledged(machine: Server) -> None:
    person = CRITICAL.again(email="before@example.com", first_name="Before")
    assert sign_up(machine, person) == 202
    before = machine.shows("dripstream-nats", "MainPID")
    machine.do("systemctl kill --signal=KILL dripstream-nats")
    machine.eventually(f"test $(systemctl show --property=MainPID --value dripstream-nats) != {before}")
    for service, port in PORTS.items():
        assert machine.eventually(get(f"http://127.0.0.1:{port}/ready")), service
    machine.eventually(has_mail(person))
    assert sign_up(machine, person.again(email="behind@example.com")) == 202


def test_the_command_is_the_operator_and_not_root(machine: Server) -> None:
    assert sign_up(machine, CRITICAL.again(email="later@example.com")) == 202
    machine.eventually("dripstream pending --contact later@example.com --json | grep -q email-7")
    assert "email-7" in machine.do("cd /root && dripstream pending --contact later@example.com --json")
    refused = machine("setpriv --reuid=nobody --clear-groups dripstream pending")
    assert refused.code == 1
    assert "run it as root" in refused.err


@pytest.mark.parametrize(("unit", "secret"), [("nats", "NATS_SENDER_PASSWORD"), ("ingest", "SIGNUP_WEBHOOK_SECRET")])
def test_an_emptied_secret_is_refused_by_name_until_it_is_filled(machine: Server, unit: str, secret: str) -> None:
    path = f"/etc/dripstream/secrets/{secret}"
    machine.do(f"cp -p {path} /root/kept && echo >{path}")
    since = machine.do("date +%s").strip()
    machine(f"systemctl restart dripstream-{unit}")
    try:
        said = f"journalctl --namespace=dripstream --unit=dripstream-{unit} --since=@{since} --output=cat"
        machine.eventually(f"{said} | grep 'no .*{secret}'")
        # It has ended, and is tried again and again. What only looks at the secret "runs" for a moment each time.
        machine.eventually(f"systemctl show --property=SubState --value dripstream-{unit} | grep -q ^auto-restart")
    finally:
        machine.do(f"cp -p /root/kept {path}")
    machine.eventually(f"systemctl is-active --quiet dripstream-{unit}")


def test_an_upgrade_is_a_release_beside_the_old_one_and_can_be_taken_back(machine: Server) -> None:
    before = machine.do("readlink /opt/dripstream/current")
    machine.do(f"echo >>{CHECKOUT}/docs/server.md")
    try:
        assert "current release" in machine.install()
        after = machine.do("readlink /opt/dripstream/current")
        assert after != before
        assert machine.do("readlink /opt/dripstream/previous") == before
        running = machine.do(f"readlink -f /proc/{machine.shows('dripstream-nats', 'MainPID')}/exe")
        assert after.strip() in running
        machine.install("--roll-back")
        assert machine.do("readlink /opt/dripstream/current") == before
        assert sign_up(machine, CRITICAL.again(email="after@example.com")) == 202
    finally:
        machine.do(f"cp /src/docs/server.md {CHECKOUT}/docs/server.md")


def test_a_release_that_refuses_a_campaign_changes_nothing(machine: Server) -> None:
    before = machine.do("readlink /opt/dripstream/current")
    machine.do("cp -r /etc/dripstream/campaigns /root/campaigns")
    machine.do(
        f"echo 'nonsense' >>/etc/dripstream/campaigns/christmas-2025/campaign.toml; echo >>{CHECKOUT}/docs/server.md"
    )
    try:
        refused = machine(f"{CHECKOUT}/deploy/install.sh", within_s=INSTALL_S)
        assert refused.code == 1
        assert "refuses a campaign" in refused.err
        assert machine.do("readlink /opt/dripstream/current") == before
    finally:
        machine.do("rm -rf /etc/dripstream/campaigns && mv /root/campaigns /etc/dripstream/campaigns")
        machine.do(f"cp /src/docs/server.md {CHECKOUT}/docs/server.md")


def test_a_stopped_target_stops_all_and_a_started_one_starts_all(machine: Server) -> None:
    machine.do("systemctl stop dripstream.target 'dripstream-*'")
    assert not any(machine.is_active(f"dripstream-{name}") for name in ("nats", *SERVICES))
    machine.do("systemctl start dripstream.target")
    machine.eventually("systemctl is-active --quiet " + " ".join(f"dripstream-{name}" for name in ("nats", *SERVICES)))


def test_removing_keeps_the_facts_and_purging_leaves_nothing(machine: Server) -> None:
    machine.do(f"{CHECKOUT}/deploy/install.sh --uninstall")
    machine.eventually("! systemctl list-units --all --no-legend --plain 'dripstream*' | grep .")
    assert machine.do("ls /var/lib/dripstream/nats/jetstream/*/streams").split() != []
    machine.do("test -s /etc/dripstream/secrets/SIGNUP_WEBHOOK_SECRET")
    machine.do(f"{CHECKOUT}/deploy/install.sh --uninstall --purge")
    left = "find / -xdev -iname '*dripstream*' -not -path '/root/*' -not -path '/proc/*' -not -path '/src*'"
    # systemd removes a unit's folder in /var/tmp a moment after the unit has ended
    machine.eventually(f"! {left} | grep .")
    assert machine("getent passwd dripstream").code != 0
