"""Faults of keys, domains, Notion, campaigns and settings: doctor finds each, and says what to do."""

import asyncio
import shutil
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from cli.checks import campaigns, configuration, notion, resend
from cli.checks.finding import Check, Finding, Patient
from cli.doctor import examined
from contracts.ids import contact_id
from eventlog.templates import PublishedTemplate, Templates, key_of
from services.sandbox.app import Sandbox
from services.sandbox.faults import Fault, Match
from services.sandbox.seed import EMAIL_SEQUENCE_DB_ID
from services.settings import ROOT, Settings
from tests.conftest import EXTERNAL
from tests.factories import ADA, CAMPAIGN, NOW
from tests.integration.doctor.kit import KEY, SECRET, SENDER_DOMAIN, TOKEN, looked_at, name_server, troubles

DOMAIN = f"domain {SENDER_DOMAIN}"


def with_(patient: Patient, **overrides: object) -> Patient:
    return replace(patient, settings=patient.settings.model_copy(update=overrides))


async def plant(sandbox: Sandbox, **domain: object) -> None:
    async with httpx.AsyncClient(base_url=sandbox.url) as control:
        answer = await control.post("/_control/domains", json={"name": SENDER_DOMAIN, **domain})
    assert answer.status_code == 200, answer.text


async def test_who_is_healthy_has_no_trouble(patient: Patient) -> None:
    found = await looked_at(patient)
    if EXTERNAL:  # a server of somebody else, which may well ask nobody
        del found["NATS passwords"]
    assert {name: each.detail for name, each in found.items() if each.state in {"trouble", "warning"}} == {}
    assert {"NATS", "clock", "streams", "sender", "storage", "Resend key", DOMAIN, f"DMARC {SENDER_DOMAIN}"} <= set(
        found
    )
    assert found[DOMAIN].detail == "verified with SPF and DKIM; opens and clicks tracked"


async def test_a_bad_key_is_found(patient: Patient) -> None:
    found = await looked_at(with_(patient, resend_api_key=SecretStr("not-a-key")), resend.CHECKS)
    assert found["Resend key"].state == "trouble"
    assert "RESEND_API_KEY" in found["Resend key"].do
    assert "not-a-key" not in str(found)


async def test_a_key_this_command_does_not_have_may_well_be_the_services(patient: Patient) -> None:
    keyless = with_(patient, resend_api_key=None, notion_token=None, notion_api_url=None)
    found = await looked_at(keyless, (*resend.CHECKS, *notion.CHECKS))
    assert {name: (each.state, each.detail) for name, each in found.items()} == {
        "Resend key": ("not checked", "RESEND_API_KEY is unset for this command"),
        "Notion": ("not checked", "NOTION_TOKEN is unset for this command"),
    }
    assert "set RESEND_API_KEY for this command" in found["Resend key"].do
    found = await looked_at(with_(keyless, nats_url=None), (*resend.CHECKS, *notion.CHECKS))
    assert {each.state for each in found.values()} == {"warning"}


@pytest.mark.parametrize(
    ("status", "name"), [(401, "invalid_api_key"), (400, "validation_error"), (403, "suspended_api_key")]
)
async def test_a_key_is_bad_however_resend_words_it(patient: Patient, sandbox: Sandbox, status: int, name: str) -> None:
    sandbox.add_fault(Fault("resend", "status", Match(path="/domains"), status=status, name=name))
    assert (await looked_at(patient, resend.CHECKS))["Resend key"].state == "trouble"


async def test_a_key_for_sending_only_is_right_and_leaves_the_domain_to_be_looked_at(
    patient: Patient, sandbox: Sandbox
) -> None:
    sandbox.add_fault(Fault("resend", "status", Match(path="/domains"), status=401, name="restricted_api_key"))
    found = await looked_at(patient, resend.CHECKS)
    assert (found["Resend key"].state, found["sender domain"].state) == ("ok", "not checked")


async def test_a_provider_that_is_away_is_no_bad_key(patient: Patient, sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault("resend", "status", Match(path="/domains"), status=503))
    found = (await looked_at(patient, resend.CHECKS))["Resend key"]
    assert found.state == "trouble"
    assert "status.resend.com" in found.do
    sandbox.add_fault(Fault("resend", "status", Match(path="/domains"), status=429))
    assert (await looked_at(patient, resend.CHECKS))["Resend key"].state == "warning"


async def test_a_domain_that_is_not_verified_is_found_with_the_records_it_lacks(
    patient: Patient, sandbox: Sandbox
) -> None:
    await plant(sandbox, status="pending", spf="verified", dkim="failed")
    found = (await looked_at(patient, resend.CHECKS))[DOMAIN]
    assert found.state == "trouble"
    assert "DKIM (TXT resend._domainkey: failed)" in found.detail
    assert "SPF" not in found.detail
    assert "DNS" in found.do


async def test_a_domain_the_account_does_not_have_is_found(patient: Patient, sandbox: Sandbox) -> None:
    sandbox.state.domains = ()
    found = (await looked_at(patient, resend.CHECKS))[DOMAIN]
    assert found.state == "trouble"
    assert "does not have" in found.detail


async def test_a_domain_that_may_not_send_is_found(patient: Patient, sandbox: Sandbox) -> None:
    await plant(sandbox, sending="disabled")
    assert (await looked_at(patient, resend.CHECKS))[DOMAIN].state == "trouble"


async def test_what_is_not_tracked_is_said(patient: Patient, sandbox: Sandbox) -> None:
    await plant(sandbox, click_tracking=False)
    found = (await looked_at(patient, resend.CHECKS))[DOMAIN]
    assert (found.state, "clicks not tracked" in found.detail) == ("ok", True)


async def test_a_missing_dmarc_record_is_a_warning_and_one_above_the_domain_counts(patient: Patient) -> None:
    name = f"DMARC {SENDER_DOMAIN}"
    async with name_server({}) as none:
        found = (await looked_at(replace(patient, resolver=none), resend.CHECKS))[name]
    assert found.state == "warning"
    assert "v=DMARC1" in found.do
    async with name_server({"_dmarc.example.com": "v=DMARC1; p=reject"}) as above:
        found = (await looked_at(replace(patient, resolver=above), resend.CHECKS))[name]
    assert (found.state, "p=reject" in found.detail) == ("ok", True)


async def test_a_missing_column_is_found(patient: Patient, sandbox: Sandbox) -> None:
    sandbox.person.delete_columns(EMAIL_SEQUENCE_DB_ID, ["Segment"])
    found = (await looked_at(patient, notion.CHECKS))["Notion Email Sequence"]
    assert found.state == "trouble"
    assert "'Segment' is missing" in found.detail
    assert "dripstream notion check" in found.do


async def test_a_token_that_notion_does_not_take_is_found(patient: Patient, sandbox: Sandbox) -> None:
    sandbox.add_fault(Fault("notion", "status", status=401, times=20))
    found = (await looked_at(patient, notion.CHECKS))["Notion"]
    assert found.state == "trouble"
    assert "NOTION_TOKEN" in found.detail


async def test_a_missing_template_is_found_with_its_file_and_line(patient: Patient, tmp_path: Path) -> None:
    folder = tmp_path / "campaigns"
    shutil.copytree(ROOT / "campaigns", folder)
    (folder / CAMPAIGN / "templates" / "noshow_1.mjml").unlink()
    found = (await looked_at(with_(patient, campaigns_dir=folder), campaigns.CHECKS))["campaigns"]
    assert found.state == "trouble"
    assert "noshow_1" in found.detail
    assert "campaign.toml:" in found.detail
    assert "dripstream campaigns check" in found.do


async def test_a_published_template_that_cannot_be_used_is_found(patient: Patient) -> None:
    from_notion = with_(patient, templates="notion")
    assert (await looked_at(from_notion, campaigns.CHECKS))["templates"].state == "ok"
    broken = PublishedTemplate(fields={"subject": "Hi"}, body="<mj-text>{{ nobody }}</mj-text>", at=NOW)
    await Templates(patient.nats).put(key_of(CAMPAIGN, "noshow_1"), broken, over=0)
    found = (await looked_at(from_notion, campaigns.CHECKS))["templates"]
    assert found.state == "trouble"
    assert "noshow_1" in found.detail


async def test_a_secret_that_is_none_is_found_and_not_repeated(patient: Patient) -> None:
    found = await looked_at(with_(patient, signup_webhook_secret=SecretStr("not base64!")), configuration.CHECKS)
    assert found["webhook secrets"].state == "trouble"
    assert "SIGNUP_WEBHOOK_SECRET" in found["webhook secrets"].detail
    assert "not base64!" not in str(found)


async def test_unsigned_webhooks_are_a_warning_on_loopback_and_trouble_elsewhere(patient: Patient) -> None:
    here = await looked_at(with_(patient, calcom_webhook_secret=None), configuration.CHECKS)
    assert here["webhook secrets"].state == "warning"
    open_ = with_(patient, calcom_webhook_secret=None, host="0.0.0.0", allow_unsigned=True)  # noqa: S104 - the fault
    found = (await looked_at(open_, configuration.CHECKS))["webhook secrets"]
    assert (found.state, "CALCOM_WEBHOOK_SECRET" in found.detail) == ("trouble", True)


@pytest.mark.parametrize("fault", [{"testing_mode": True}, {"speedup": 60.0}])
async def test_haste_is_trouble_with_the_real_resend_and_a_warning_else(
    patient: Patient, fault: dict[str, object]
) -> None:
    assert (await looked_at(with_(patient, **fault), configuration.CHECKS))["pace"].state == "warning"
    real = with_(patient, resend_api_url=None, **fault)
    assert (await looked_at(real, configuration.CHECKS))["pace"].state == "trouble"


async def test_no_secret_and_no_address_is_in_anything_doctor_says(patient: Patient) -> None:
    said = str(await examined(patient))
    assert [
        each for each in (KEY, TOKEN, SECRET, "a secret of the calendar", ADA, contact_id(ADA)) if each in said
    ] == []


async def test_a_check_that_fails_or_never_ends_does_not_keep_the_others() -> None:
    async def breaks(_: Patient) -> list[Finding]:
        raise KeyError("a-secret")

    async def hangs(_: Patient) -> list[Finding]:
        await asyncio.Event().wait()
        return []

    async def is_well(_: Patient) -> list[Finding]:
        return [Finding("well", "ok", "as it should be")]

    checks = [Check("breaks", breaks), Check("hangs", hangs), Check("well", is_well), Check("nats", is_well, True)]
    found = {each.check: each for each in await examined(Patient(Settings.load(), None, ""), checks, look_s=0.05)}
    assert troubles(found) == {"breaks", "hangs"}
    assert (found["well"].state, found["nats"].state) == ("ok", "not checked")
    assert "a-secret" not in str(found)
