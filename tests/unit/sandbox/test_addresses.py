import pytest

from services.sandbox.addresses import is_address


@pytest.mark.parametrize(
    "text",
    [
        "ann@example.com",
        "ann.b+news@mail.example.com",
        "Ann <ann@example.com>",
        '"Ann, B. (BusinessX)" <ann@example.com>',
        "Zoë <zoe@example.com>",
    ],
)
def test_bare_and_named_addresses_pass(text: str) -> None:
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "ann@example",
        "ann@@example.com",
        ".ann@example.com",
        "ann..b@example.com",
        "ann@-example.com",
        "zoë@example.com",
        "ann@example.com, ben@example.com",
        "Ann <ann@example.com>, Ben <ben@example.com>",
        "Ann <<ann@example.com>>",
        "Ann\r\nBcc: x@example.com <ann@example.com>",
        f"{'a' * 65}@example.com",
    ],
)
def test_anything_looser_is_refused(text: str) -> None:
    assert not is_address(text)
