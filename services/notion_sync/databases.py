"""Which databases are on: the settings that name them, in any spelling Notion has for an id."""

from collections.abc import Mapping

import structlog

from services.notion_sync.ids import database_id
from services.notion_sync.schema import ANALYTICS, BUSINESSX, EMAIL_SEQUENCE, QUEUE, TEMPLATES, Database
from services.settings import Settings

log = structlog.get_logger(__name__)

SETTINGS: Mapping[Database, str] = {
    EMAIL_SEQUENCE: "notion_email_sequence_db_id",
    BUSINESSX: "notion_businessx_db_id",
    TEMPLATES: "notion_email_templates_db_id",
    ANALYTICS: "notion_email_analytics_db_id",
    QUEUE: "notion_email_queue_db_id",
}


class BadDatabaseId(ValueError):
    """A setting that is no id of a Notion database, nor a link to one."""


def variable(database: Database) -> str:
    """The environment variable that names a database."""
    return str(Settings.model_fields[SETTINGS[database]].alias)


def databases(settings: Settings) -> dict[Database, str]:
    """The ids of those that are on; says which are off, and why. Errors: BadDatabaseId."""
    on = configured(settings)
    for database in (each for each in SETTINGS if each not in on):
        log.info("notion_database_off", database=database, unset=unset(settings, database))
    return on


def configured(settings: Settings) -> dict[Database, str]:
    """Without a token, only a stand-in elsewhere can be meant. Errors: BadDatabaseId."""
    found = {database: _id(settings, database) for database in SETTINGS}
    return {database: id_ for database, id_ in found.items() if id_ and _is_reachable(settings)}


def unset(settings: Settings, database: Database) -> str:
    """The variable that would switch a database on."""
    return variable(database) if _is_reachable(settings) else "NOTION_TOKEN"


def _is_reachable(settings: Settings) -> bool:
    return settings.notion_token is not None or settings.notion_api_url is not None


def _id(settings: Settings, database: Database) -> str | None:
    """With dashes, without, or as a link copied from Notion."""
    text: str | None = getattr(settings, SETTINGS[database])
    if text is None:
        return None
    if found := database_id(text):
        return found
    raise BadDatabaseId(f"{variable(database)} is no id of a Notion database, nor a link to one")
