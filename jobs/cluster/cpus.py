"""How many CPUs there are for this process."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path


def available_cpus() -> int:
    """CPUs that this process may use: a container's quota counts, and at least one."""
    cpus = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        cpus = min(cpus, math.ceil(int(quota) / int(period)))
    return max(1, cpus)
