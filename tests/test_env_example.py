"""`.env.example` names everything that can be set, and nothing else."""

import re
from collections import Counter

from services.settings import ROOT, known_variables, secret_variables

EXAMPLE = (ROOT / ".env.example").read_text()
EXPLAINED = re.findall(r"^# ([A-Z][A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)
NAMED = set(EXPLAINED)
FILES = sorted((ROOT / "deploy").glob("compose*.yml"))
OF_COMPOSE = {"COMPOSE_PROFILES"}


def variables_of_compose() -> set[str]:
    """What it puts in (`${NAME…}`), and what it passes on (`NAME:` without a value)."""
    text = "\n".join(re.sub(r"#.*", "", path.read_text()) for path in FILES)
    passed_on = set(re.findall(r"^ +([A-Z][A-Z0-9_]+): *$", text, re.MULTILINE))
    return set(re.findall(r"\$\{([A-Z][A-Z0-9_]+)", text)) | passed_on


def test_compose_has_variables() -> None:
    assert {"SECRETS_DIR", "NATS_OPERATOR_PASSWORD", "RESEND_API_KEY_FILE", "INGEST_PORT"} <= variables_of_compose()


def test_every_setting_is_explained() -> None:
    assert known_variables() - NAMED == set()


def test_every_secret_is_explained_as_a_file_too() -> None:
    assert {f"{name}_FILE" for name in secret_variables()} <= NAMED


def test_every_variable_of_compose_is_explained() -> None:
    assert variables_of_compose() - NAMED == set()


def test_nothing_is_explained_that_does_not_exist() -> None:
    assert NAMED - known_variables() - variables_of_compose() - OF_COMPOSE == set()


def test_nothing_is_explained_twice() -> None:
    assert [name for name, times in Counter(EXPLAINED).items() if times > 1] == []


def test_copied_as_it_is_it_sets_nothing() -> None:
    assert [line for line in EXAMPLE.splitlines() if line and not line.startswith("#")] == []
