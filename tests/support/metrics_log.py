"""The log of a training that runs in another process."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path


def await_step(process: subprocess.Popen[str], folder: Path, step: int, patience: float) -> None:
    """Wait until a training has reported this step; a line may be half written."""
    log, deadline = folder / "metrics.jsonl", time.monotonic() + patience
    while True:
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        lines = text.rpartition("\n")[0].splitlines()
        if lines and json.loads(lines[-1])["step"] >= step:
            return
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
