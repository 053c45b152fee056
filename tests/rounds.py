"""How much longer than every day's form tests under fire take: `DRIPSTREAM_ROUNDS`, 1 unless it is set.

Taken out of the environment, where settings refuse a name they do not know; and so read here alone.
"""

import os

ROUNDS = int(os.environ.pop("DRIPSTREAM_ROUNDS", "1"))
