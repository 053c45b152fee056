"""Every setting, read once from the environment (and `.env`), checked before anything starts."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Literal, Self, get_args

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from journey.plan import Pace
from services.secret_files import SUFFIX, secrets_in_files

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "DRIPSTREAM_"


_SIZE = re.compile(r"(\d+)(?:([KMGTP])(B|I|IB)?)?", re.IGNORECASE)


def bytes_of(text: str) -> int:
    """Bytes, as nats-server reads them: `10GB` and `10GiB` are 10 x 2^30, `10G` is 10 x 10^9. Errors: ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError("is not a size: say it as 50GB")
    number, unit, binary = found.groups()
    power = " KMGTP".index(unit.upper()) if unit else 0
    return int(number) * int((1024 if binary else 1000) ** power)


class Settings(BaseSettings):
    """The defaults run the whole product on one machine with no account anywhere."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, populate_by_name=True)

    nats_url: str | None = Field(None, alias="NATS_URL", description="unset: an embedded nats-server")
    replicas: int = Field(1, alias="DRIPSTREAM_REPLICAS", ge=1, le=5)
    nats_store: Path | None = Field(None, alias="NATS_STORE", description="where nats-server keeps all of it")
    nats_max_file_store: int | None = Field(None, alias="NATS_MAX_FILE_STORE", ge=1, description="of each node")
    data_dir: Path = Field(Path(".dripstream"), alias="DRIPSTREAM_DATA_DIR")
    campaigns_dir: Path = Field(ROOT / "campaigns", alias="DRIPSTREAM_CAMPAIGNS_DIR")
    log_format: Literal["auto", "json", "console"] = Field("auto", alias="DRIPSTREAM_LOG")

    testing_mode: bool = Field(False, alias="TESTING_MODE", description="use each step's testing delay")
    speedup: float = Field(1.0, alias="DRIPSTREAM_SPEEDUP", gt=0, le=100_000, description="divides every delay")

    host: str = Field("127.0.0.1", alias="DRIPSTREAM_HOST")
    port: int = Field(8000, alias="DRIPSTREAM_PORT", ge=0, le=65535)
    health_port: int | None = Field(
        None, alias="DRIPSTREAM_HEALTH_PORT", ge=0, le=65535, description="of services without pages; unset: none"
    )
    nats_user: str | None = Field(None, alias="NATS_USER", description="at the broker of NATS_URL")
    nats_password: SecretStr | None = Field(None, alias="NATS_PASSWORD")
    nats_token: SecretStr | None = Field(None, alias="NATS_TOKEN")
    nats_nkey_seed: SecretStr | None = Field(None, alias="NATS_NKEY_SEED", description="SU…, in the place of a user")
    nats_creds: Path | None = Field(None, alias="NATS_CREDS", description="a .creds file, in the place of a user")
    nats_tls_ca: Path | None = Field(None, alias="NATS_TLS_CA", description="whom the broker's certificate is from")
    nats_tls_cert: Path | None = Field(None, alias="NATS_TLS_CERT", description="ours, where the broker wants one")
    nats_tls_key: Path | None = Field(None, alias="NATS_TLS_KEY")
    nats_domain: str | None = Field(None, alias="NATS_DOMAIN", description="JetStream domain, behind a leaf node")
    nats_inbox_prefix: str | None = Field(None, alias="NATS_INBOX_PREFIX", description="unset: _INBOX_<user>")
    nats_context: str | None = Field(None, alias="NATS_CONTEXT", description="a context of the nats CLI")

    signup_webhook_secret: SecretStr | None = Field(None, alias="SIGNUP_WEBHOOK_SECRET")
    calcom_webhook_secret: SecretStr | None = Field(None, alias="CALCOM_WEBHOOK_SECRET")
    resend_webhook_secret: SecretStr | None = Field(None, alias="RESEND_WEBHOOK_SECRET")
    allow_unsigned: bool = Field(False, alias="DRIPSTREAM_ALLOW_UNSIGNED")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field((), alias="CORS_ORIGINS")

    resend_api_key: SecretStr | None = Field(None, alias="RESEND_API_KEY", description="unset: the sandbox")
    resend_api_url: str | None = Field(None, alias="RESEND_API_URL")
    resend_rate_limit: float = Field(2.0, alias="RESEND_RATE_LIMIT", gt=0, le=10_000, description="calls a second")

    notion_token: SecretStr | None = Field(None, alias="NOTION_TOKEN", description="unset: the sandbox")
    notion_api_url: str | None = Field(None, alias="NOTION_API_URL")
    notion_rate_limit: float = Field(3.0, alias="NOTION_RATE_LIMIT", gt=0, le=10_000, description="calls a second")
    notion_email_sequence_db_id: str | None = Field(None, alias="NOTION_EMAIL_SEQUENCE_DB_ID")
    notion_businessx_db_id: str | None = Field(None, alias="NOTION_BUSINESSX_DB_ID")
    notion_email_templates_db_id: str | None = Field(None, alias="NOTION_EMAIL_TEMPLATES_DB_ID")
    notion_email_analytics_db_id: str | None = Field(None, alias="NOTION_EMAIL_ANALYTICS_DB_ID")
    notion_email_queue_db_id: str | None = Field(None, alias="NOTION_EMAIL_QUEUE_DB_ID")
    notion_poll_s: float = Field(
        30.0, alias="NOTION_POLL_S", gt=0, le=3600, description="how often to look for what people did by hand"
    )
    templates: Literal["files", "notion"] = Field("files", alias="TEMPLATES", description="where they are written")

    notify_webhook_url: SecretStr | None = Field(
        None, alias="NOTIFY_WEBHOOK_URL", description="Discord, Slack, or what takes Slack's form; unset: no notifier"
    )
    notify_details: Literal["none", "names", "full"] = Field(
        "names", alias="NOTIFY_DETAILS", description="what the chat may know of a person"
    )
    notify_segment: str = Field("CRITICAL", alias="NOTIFY_SEGMENT", description="whose signups are told")
    notify_late_min: float = Field(15.0, alias="NOTIFY_LATE_MIN", gt=0, description="minutes an email may be late")
    notify_lag_min: float = Field(10.0, alias="NOTIFY_LAG_MIN", gt=0, description="minutes a service may be behind")
    notify_no_signups_h: float | None = Field(
        None, alias="NOTIFY_NO_SIGNUPS_H", gt=0, description="hours without any signup; unset: never an alert"
    )
    notify_every_s: float = Field(60.0, alias="NOTIFY_EVERY_S", gt=0, le=3600, description="how often to look")

    sandbox_port: int = Field(8025, alias="DRIPSTREAM_SANDBOX_PORT", ge=0, le=65535)
    sandbox_host: str = Field(
        "127.0.0.1", alias="DRIPSTREAM_SANDBOX_HOST", description="where `dripstream sandbox` listens"
    )
    sandbox_url: str | None = Field(
        None, alias="DRIPSTREAM_SANDBOX_URL", description="where services find it; unset: on this machine"
    )

    @property
    def file_store(self) -> int | None:
        """Bytes that all nodes together may keep: there are as many as copies."""
        return self.nats_max_file_store * self.replicas if self.nats_max_file_store else None

    @property
    def pace(self) -> Pace:
        return Pace(testing=self.testing_mode, speedup=self.speedup)

    @field_validator("nats_store", mode="before")
    @classmethod
    def _unquoted(cls, value: object) -> object:
        """nats-server wants quotes around a path that comes from its environment."""
        return value.strip('"') if isinstance(value, str) else value

    @field_validator("nats_max_file_store", mode="before")
    @classmethod
    def _in_bytes(cls, value: object) -> object:
        return bytes_of(value) if isinstance(value, str) and value else value

    @field_validator("cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("*", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: object, info: ValidationInfo) -> object:
        """`NOTION_TOKEN=` in a compose file means unset, not an empty token."""
        return cls.model_fields[str(info.field_name)].get_default() if value == "" else value

    @field_validator(
        "notion_email_sequence_db_id",
        "notion_businessx_db_id",
        "notion_email_templates_db_id",
        "notion_email_analytics_db_id",
        "notion_email_queue_db_id",
    )
    @classmethod
    def _database_id(cls, value: str | None) -> str | None:
        """With dashes, without, or inside a link copied from Notion."""
        if value is not None and not re.search(r"[0-9a-f]{32}", value.replace("-", ""), re.IGNORECASE):
            raise ValueError("not the id of a Notion database, nor a link to one")
        return value

    @classmethod
    def load(cls, **overrides: object) -> Self:
        """Errors: pydantic.ValidationError; ValueError naming a misspelt DRIPSTREAM_ variable or a file of a secret."""
        environment = {**dotenv_values(".env"), **os.environ}
        unknown = sorted(unknown_variables(environment))
        if unknown:
            raise ValueError(f"unknown setting {', '.join(unknown)}; known: {', '.join(sorted(known_variables()))}")
        return cls(**{**secrets_in_files(environment, secret_variables()), **overrides})  # type: ignore[arg-type]


def secret_variables() -> set[str]:
    """Each can be given by file as well, with `_FILE` after its name."""
    fields = Settings.model_fields.values()
    return {str(field.alias) for field in fields if SecretStr in (field.annotation, *get_args(field.annotation))}


def known_variables() -> set[str]:
    fields = {str(field.alias) for field in Settings.model_fields.values()}
    return fields | {name + SUFFIX for name in secret_variables()}


def unknown_variables(environment: Iterable[str]) -> set[str]:
    """A mistyped variable would otherwise be silent."""
    return {name for name in environment if name.startswith(PREFIX)} - known_variables()
