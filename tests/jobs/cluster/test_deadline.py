from __future__ import annotations

import subprocess
import sys

ENDLESS = """
import time
from gends.jobs.cluster.deadline import limited

with limited(30, "never said"):
    pass
with limited(0.2, "it did not start"):
    time.sleep(60)
"""


def test_what_lasts_too_long_ends_the_process():
    done = subprocess.run(
        [sys.executable, "-c", ENDLESS], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "gends-build: it did not start (waited 0.2 s)\n"
