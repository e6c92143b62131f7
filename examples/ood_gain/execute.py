"""Runs steps that are not done, some at a time; each says in a file of its own how it goes."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import FrameType

from commands import Step

LOOK = 0.5
"""Seconds between two looks at what runs."""
TOLD = 5
"""Last lines of a failed command's file that are shown."""


class StepFailedError(Exception):
    """A command ended with an error; the same experiment goes on once its cause is mended."""


def stop_on_sigterm() -> None:
    """From now on SIGTERM ends this process as an error would: what it started is stopped first."""

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, stop)


def run_steps(steps: Iterable[Step], processes: int, logs: Path) -> None:
    """Run what is not done, in order and so many at a time; all are asked to stop when one fails.

    Args:
        steps: independent of each other.
        processes: how many run side by side.
        logs: folder of NAME.log, what each command says.

    Raises:
        StepFailedError: one failed, or ended without its product.
    """
    waiting = [step for step in steps if not step.done()]
    running: dict[subprocess.Popen[bytes], Step] = {}
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                step = waiting.pop(0)
                running[_start(step, logs)] = step
            time.sleep(LOOK)
            for process in [process for process in running if process.poll() is not None]:
                _check(running.pop(process), process.returncode, logs)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def _start(step: Step, logs: Path) -> subprocess.Popen[bytes]:
    name = Path(step.command[0]).name
    print(f"{time.strftime('%H:%M:%S')} $ {shlex.join([name, *step.command[1:]])}", flush=True)
    logs.mkdir(parents=True, exist_ok=True)
    # One thread each: more processes than cores would wait for each other otherwise.
    environment = {"OMP_NUM_THREADS": "1", **os.environ}
    with (logs / f"{step.name}.log").open("ab") as log:
        # In a session of its own, Ctrl-C reaches it only by way of this process.
        return subprocess.Popen(
            step.command, stdout=log, stderr=log, env=environment, start_new_session=True
        )


def _check(step: Step, code: int, logs: Path) -> None:
    if code == 0 and step.done():
        print(f"{time.strftime('%H:%M:%S')} {step.name} done", flush=True)
        return
    path = logs / f"{step.name}.log"
    words = "\n".join(path.read_text("utf-8", "replace").splitlines()[-TOLD:])
    how = f"exit code {code}" if code else "without an error, but its product is not there"
    raise StepFailedError(f"{step.name} ended: {how}\n{words}\nall of it: {path}")
