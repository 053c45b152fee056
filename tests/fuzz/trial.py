"""Every attack, each in a process of its own that can neither grow nor run for ever: `python -m tests.fuzz.trial`.

Prints a line of JSON for each: what became of it, how much processor time that took, and how much memory.
"""

import json
import os
import resource
import tempfile
from pathlib import Path
from time import process_time

from journey.campaign import CampaignError, load_campaign
from journey.templates import RenderError, render
from tests.fuzz.attacks import ALL, EVE, hello_of, toml_of
from tests.unit.journey.campaign_folder import write

MEMORY, CPU_S = 1024**3, 20
"""What a machine that runs tests can spare; many times what any attack may come to."""


def main() -> None:
    for name in ALL:
        child = os.fork()
        if child == 0:
            try_out(name)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status:
            say(name, "killed", f"wait status {status}")


def try_out(name: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    before, started = peak_mb(), process_time()
    with tempfile.TemporaryDirectory() as folder:
        verdict, said = verdict_on(name, Path(folder))
    say(name, verdict, said, cpu_s=round(process_time() - started, 2), mb=peak_mb() - before)


def verdict_on(name: str, folder: Path) -> tuple[str, str]:
    """Refused at load, stopped when rendered, or rendered; and what was said."""
    try:
        campaign = load_campaign(write(folder, hello=hello_of(name), toml=toml_of(name)))
        render(campaign.templates["hello"], EVE)
    except CampaignError as error:
        return "refused", str(error.problems[0])
    except RenderError as error:
        return "stopped", str(error)
    return "rendered", ""


def say(name: str, verdict: str, said: str, **figures: float) -> None:
    print(json.dumps({"name": name, "verdict": verdict, "said": said, **figures}), flush=True)


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
