"""Notion: the token, each database, its columns."""

from cli.checks.finding import Check, Finding, Patient, ok, trouble, unset_here, warning
from cli.notion import refused_anywhere
from eventlog.connection import Unavailable
from services.notion_sync.answers import Refusal
from services.notion_sync.api import Forgetful, Memory, Notion
from services.notion_sync.checkup import check
from services.notion_sync.databases import BadDatabaseId, configured, unset
from services.notion_sync.remade import OnlyLooks, remade
from services.notion_sync.schema import DATABASES, TEMPLATES, Database

MEND = "put it right in Notion; `dripstream notion check` shows every column"


async def databases(patient: Patient) -> list[Finding]:
    """What `dripstream notion check` would say, in short."""
    settings = patient.settings
    if settings.notion_token is None and settings.notion_api_url is None:
        if settings.nats_url:
            return [unset_here("Notion", "NOTION_TOKEN")]
        do = "set NOTION_TOKEN and the ids of the databases, as docs/notion.md says"
        return [warning("Notion", "NOTION_TOKEN is unset: nothing is shown in Notion", do)]
    try:
        on = configured(settings)
    except BadDatabaseId as error:
        return [trouble("Notion", str(error), "copy the link of the database again")]
    if not on:
        return [warning("Notion", "no database is set", "run `dripstream notion init --parent PAGE`")]
    found: list[Finding] = []
    notion = Notion.of(settings, on, await _memory(patient), may_add_columns=False)
    try:
        for database in DATABASES:
            found += await _database(notion, database) if database in on else _off(patient, database)
    except Refusal as refused:
        do = "take the secret of the integration at notion.so/profile/integrations" if refused.status == 401 else MEND
        return [*found, trouble("Notion", refused_anywhere(refused), do)]
    finally:
        await notion.close()
    return found


async def _memory(patient: Patient) -> Memory:
    """Renamed columns are known by what notion-sync remembers, where that can be read."""
    if patient.broker is None:
        return Forgetful()
    memory = OnlyLooks(remade(patient.broker))
    try:
        await memory.ids(DATABASES[0])
    except Unavailable:
        return Forgetful()
    return memory


async def _database(notion: Notion, database: Database) -> list[Finding]:
    seen = await check(notion, database)
    if seen.problems:
        return [trouble(f"Notion {database}", "; ".join(seen.problems), MEND)]
    renamed = [f"{each.name!r} is {each.property!r}" for each in seen.columns if each.state == "renamed"]
    return [
        ok(f"Notion {database}", f"right; the token may write{'; renamed: ' if renamed else ''}{', '.join(renamed)}")
    ]


def _off(patient: Patient, database: Database) -> list[Finding]:
    variable = unset(patient.settings, database)
    if database == TEMPLATES and patient.settings.templates == "notion":
        return [trouble(f"Notion {database}", f"TEMPLATES=notion, and {variable} is unset", f"set {variable}")]
    return [ok(f"Notion {database}", f"off, as {variable} is unset")]


CHECKS = (Check("Notion", databases),)
