from datetime import timedelta
from pathlib import Path

from cli.demo import began
from tests.factories import NOW


def test_a_demo_that_is_taken_up_goes_on_with_the_time_its_calls_were_booked(tmp_path: Path) -> None:
    """Other times would be other bookings."""
    assert began(tmp_path, NOW + timedelta(milliseconds=3)) == NOW
    assert began(tmp_path, NOW + timedelta(minutes=5)) == NOW
