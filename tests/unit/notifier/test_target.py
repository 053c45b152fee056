"""The form follows from the address, and the address is in no error."""

import pytest

from services.notifier.target import target

DISCORD = "https://discord.com/api/webhooks/123/t0ken"


@pytest.mark.parametrize(
    ("address", "kind", "url"),
    [
        (DISCORD, "discord", f"{DISCORD}?wait=true"),
        (f"{DISCORD}?wait=false&thread_id=7", "discord", f"{DISCORD}?thread_id=7&wait=true"),
        ("https://discord.com/api/v10/webhooks/1/t", "discord", "https://discord.com/api/v10/webhooks/1/t?wait=true"),
        (f"{DISCORD}/slack", "slack", f"{DISCORD}/slack"),
        ("https://hooks.slack.com/services/T0/B0/x", "slack", "https://hooks.slack.com/services/T0/B0/x"),
        (" https://chat.example.com/hooks/x ", "slack", "https://chat.example.com/hooks/x"),
        ("http://127.0.0.1:8025/slack/services/T/B/x", "slack", "http://127.0.0.1:8025/slack/services/T/B/x"),
        ("http://[::1]:1/x", "slack", "http://[::1]:1/x"),
        (
            "http://localhost:1/discord/api/webhooks/1/t",
            "discord",
            "http://localhost:1/discord/api/webhooks/1/t?wait=true",
        ),
    ],
)
def test_the_form_follows_from_the_address(address: str, kind: str, url: str) -> None:
    assert (target(address).kind, target(address).url) == (kind, url)


@pytest.mark.parametrize(
    "address",
    [
        "http://discord.com/api/webhooks/1/s3cret", "http://127.0.0.1.evil.example/s3cret", "ftp://x/s3cret",
        "s3cret", "https://", "https://[s3cret", "https://x:port/s3cret", f"{DISCORD}/github", "file:///s3cret",
    ],
)  # fmt: skip
def test_a_bad_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValueError, match="NOTIFY_WEBHOOK_URL") as refused:
        target(address)
    assert "s3cret" not in str(refused.value)
    assert "t0ken" not in str(refused.value)
    assert refused.value.__suppress_context__ or refused.value.__cause__ is None


SANDBOX = "http://sandbox:8025"


def test_a_sandbox_elsewhere_may_be_told_without_encryption() -> None:
    assert target(f"{SANDBOX}/discord/api/webhooks/1/t", sandbox=SANDBOX).host == "sandbox"


@pytest.mark.parametrize("address", ["http://sandbox:9/t", "http://sandbox/t", "http://other:8025/t"])
@pytest.mark.parametrize("sandbox", [SANDBOX, "", None])
def test_nothing_else_may_because_there_is_a_sandbox(address: str, sandbox: str | None) -> None:
    with pytest.raises(ValueError, match="only https leaves this machine"):
        target(address, sandbox=sandbox)


def test_the_address_is_never_shown() -> None:
    assert "t0ken" not in f"{target(DISCORD)} {target(DISCORD)!r}"
