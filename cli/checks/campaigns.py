"""Campaigns and templates: what the services would refuse at their start, and what is published in Notion."""

from collections.abc import Mapping

from cli.checks.finding import Check, Finding, Patient, not_checked, ok, trouble
from eventlog.bucket import Entry
from eventlog.templates import PublishedTemplate, Templates, key_of
from journey.campaign import CampaignError, load_campaigns, template_from
from journey.model import Campaign
from journey.templates import Sources, Template

SHOWN = 5


async def files(patient: Patient) -> list[Finding]:
    """What `dripstream campaigns check` would say."""
    folder = patient.settings.campaigns_dir
    try:
        campaigns = load_campaigns(folder)
    except CampaignError as error:
        do = "mend that line; the services refuse to start until `dripstream campaigns check` is content"
        more = f" (and {len(error.problems) - SHOWN} more)" if len(error.problems) > SHOWN else ""
        return [trouble("campaigns", f"{each}{more}", do) for each in error.problems[:SHOWN]]
    if not campaigns:
        return [trouble("campaigns", f"there is none in {folder}", "write one, or set DRIPSTREAM_CAMPAIGNS_DIR right")]
    listed = ", ".join(f"{each.id} ({len(each.templates)} templates)" for each in campaigns.values())
    return [ok("campaigns", listed)]


async def published(patient: Patient) -> list[Finding]:
    """With TEMPLATES=notion: whether the sender can use what was published last."""
    if patient.settings.templates == "files":
        return []
    if patient.broker is None:
        return [not_checked("templates", "there is no broker to ask for what is published")]
    try:
        campaigns = load_campaigns(patient.settings.campaigns_dir)
    except CampaignError:
        return [not_checked("templates", "the campaigns cannot be loaded")]
    known = await Templates(patient.broker).all()
    found = [each for campaign in campaigns.values() for each in _of(campaign, known)]
    in_use = sum(bool(entry and not entry.value.withdrawn) for entry in known.values())
    return found or [ok("templates", f"{in_use} published in Notion and usable; the files stand in for the rest")]


def _of(campaign: Campaign, known: Mapping[str, Entry[PublishedTemplate] | None]) -> list[Finding]:
    found = []
    for name in campaign.templates:
        key = key_of(campaign.id, name)
        if key in known and (why := _unusable(campaign, name, known[key])):
            do = "publish it again in Notion; until then the sender uses the last good one it knows, or the file"
            found.append(trouble("templates", f"{key}: {why}", do))
    return found


def _unusable(campaign: Campaign, name: str, entry: Entry[PublishedTemplate] | None) -> str | None:
    if entry is None:
        return "was written by another version"
    if entry.value.withdrawn:
        return None
    made = template_from(campaign, name, Sources.of(entry.value.fields, entry.value.body, entry.value.text))
    return None if isinstance(made, Template) else "; ".join(made[:SHOWN])


CHECKS = (Check("campaigns", files), Check("templates", published))
