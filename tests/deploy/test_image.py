"""What the image is built from is let in."""

import re

from services.settings import ROOT

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
LET_IN = (ROOT / ".dockerignore").read_text().splitlines()


def test_every_list_of_packages_that_the_image_may_have_is_let_in() -> None:
    chosen = set(re.findall(r"REQUIREMENTS=(\w+)", DOCKERFILE))
    fixed = set(re.findall(r"requirements/(\w+)\.txt", DOCKERFILE))
    assert (chosen, fixed) == ({"base", "otel"}, {"build"})
    for name in chosen | fixed:
        assert f"!requirements/{name}.txt" in LET_IN
        assert (ROOT / f"requirements/{name}.txt").is_file()
