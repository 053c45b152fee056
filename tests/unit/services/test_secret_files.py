"""A secret may come as a file. What is wrong with it is said with its name and its path, and never with its content."""

from pathlib import Path

import pytest

from services.secret_files import LIMIT, secrets_in_files
from services.settings import Settings, secret_variables

SECRET = "s3cr3t-value"


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """No setting of whoever runs the tests: neither in the environment nor in a `.env`."""
    monkeypatch.chdir(tmp_path)
    for name in secret_variables():
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    return monkeypatch


def written(folder: Path, content: str | bytes = SECRET + "\n") -> str:
    path = folder / "secret"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def read(path: str, **more: str) -> str:
    return secrets_in_files({"RESEND_API_KEY_FILE": path, **more}, {"RESEND_API_KEY"})["RESEND_API_KEY"]


def test_keys_tokens_and_webhook_secrets_are_all_secrets() -> None:
    expected = {"RESEND_API_KEY", "NOTION_TOKEN"}
    expected |= {f"{family}_WEBHOOK_SECRET" for family in ("SIGNUP", "CALCOM", "RESEND")}
    assert expected <= secret_variables()


@pytest.mark.parametrize("name", sorted(secret_variables()))
def test_every_secret_setting_can_be_given_by_file(clean: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    clean.setenv(f"{name}_FILE", written(tmp_path))
    settings = Settings.load()
    field = next(key for key, field in Settings.model_fields.items() if field.alias == name)
    assert getattr(settings, field).get_secret_value() == SECRET
    assert SECRET not in repr(settings)


def test_the_name_of_a_file_may_stand_in_dotenv(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"NOTION_TOKEN_FILE={written(tmp_path)}\n")
    token = Settings.load().notion_token
    assert token
    assert token.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "value"),
    [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a"), (" a b ", "a b"), ("ü\n", "ü")],
)
def test_blanks_and_line_ends_around_it_are_not_part_of_it(tmp_path: Path, content: str, value: str) -> None:
    assert read(written(tmp_path, content)) == value


def test_given_twice_it_is_refused_by_name(clean: pytest.MonkeyPatch, tmp_path: Path) -> None:
    clean.setenv("RESEND_API_KEY", SECRET)
    clean.setenv("RESEND_API_KEY_FILE", written(tmp_path))
    with pytest.raises(ValueError, match=r"^RESEND_API_KEY and RESEND_API_KEY_FILE are both set") as refused:
        Settings.load()
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("empty", ["RESEND_API_KEY", "RESEND_API_KEY_FILE"])
def test_an_empty_variable_is_an_unset_one(clean: pytest.MonkeyPatch, tmp_path: Path, empty: str) -> None:
    given = {"RESEND_API_KEY": SECRET, "RESEND_API_KEY_FILE": written(tmp_path)} | {empty: ""}
    for name, value in given.items():
        clean.setenv(name, value)
    key = Settings.load().resend_api_key
    assert key
    assert key.get_secret_value() == SECRET


@pytest.mark.parametrize(
    ("content", "why"), [("", "is empty"), ("\n", "is empty"), (b"s3cr3t-value\xff", "is not text in UTF-8")]
)
def test_a_file_without_a_secret_is_refused(tmp_path: Path, content: str | bytes, why: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(ValueError, match=f"^RESEND_API_KEY_FILE: {path} {why}$"):
        read(path)


def test_a_file_far_too_large_for_a_secret_is_refused_and_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is too large for a secret$") as refused:
        read(written(tmp_path, SECRET * LIMIT))
    assert SECRET not in str(refused.value)


def test_a_missing_file_is_named_with_its_variable(tmp_path: Path) -> None:
    missing = tmp_path / "nowhere"
    with pytest.raises(ValueError, match=f"^RESEND_API_KEY_FILE: {missing} cannot be read: No such file or directory$"):
        read(str(missing))


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"^RESEND_API_KEY_FILE: {tmp_path} cannot be read: Is a directory$"):
        read(str(tmp_path))


@pytest.mark.parametrize("name", ["DRIPSTREAM_SPEEDUP_FILE", "DRIPSTREAM_DATA_DIRR", "DRIPSTREAM_PORT_FILE"])
def test_what_is_no_secret_has_no_file_and_a_misspelt_name_is_still_refused(
    clean: pytest.MonkeyPatch, name: str
) -> None:
    clean.setenv(name, "1")
    with pytest.raises(ValueError, match=f"^unknown setting {name}; known: "):
        Settings.load()
