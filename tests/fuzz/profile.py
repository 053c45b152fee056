"""How much is tried: little in every run of the tests, much more with DRIPSTREAM_FUZZ=long."""

import os

LONG = os.environ.pop("DRIPSTREAM_FUZZ", "") == "long"  # not one of the product's settings, which are checked
TIMES = 20


def examples(usual: int) -> int:
    return usual * TIMES if LONG else usual
