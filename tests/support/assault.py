"""Kill the processes of a build, one kind after another."""

from __future__ import annotations

import contextlib
import math
import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import psutil

ENDS_THE_BUILD = ("driver", "raylet", "tree")
OUTLIVED = ("worker", "stage")
KINDS = (*ENDS_THE_BUILD, *(2 * OUTLIVED))


@dataclass
class Losses:
    """What an assault did."""

    kills: Counter[str] = field(default_factory=Counter)
    sessions: int = 0
    outlived: int = 0
    """Kills that the session survived."""
    seconds: float = 0.0


def assault(
    start: Callable[[], subprocess.Popen[str]],
    made: Callable[[], int],
    kinds: list[str],
    rng: random.Random,
    pause: float,
    release: Callable[[bool], None] = lambda whether_all: None,
) -> Losses:
    """Kill once for each of `kinds`, each time after something new was `made` and a random pause.

    A build that ends is started again, also after the last kill; then it must end well. `release`
    is called with False while something new is awaited, and at last with True: let the build go on.

    Raises:
        AssertionError: a build ended early, hung, or did not end well.
    """
    losses, began = Losses(), time.monotonic()
    process: subprocess.Popen[str] | None = None
    everyone: set[psutil.Process] = set()
    try:
        for kind in kinds:
            if process is None:
                process = start()
                losses.sessions += 1
            _await_progress(process, made, release)
            time.sleep(rng.uniform(0, pause))
            everyone |= _strike(kind, process, rng)
            losses.kills[kind] += 1
            if kind in ENDS_THE_BUILD:
                process.wait(timeout=120)
                process = None
            else:
                losses.outlived += 1
        release(True)
        if process is None:
            process = start()
            losses.sessions += 1
        assert process.wait(timeout=3600) == 0
    finally:
        if process is not None and process.poll() is None:
            everyone |= family(process)
        for each in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
    losses.seconds = time.monotonic() - began
    return losses


def family(process: subprocess.Popen[str]) -> set[psutil.Process]:
    """A process and all that it started."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        return {root, *root.children(recursive=True)}
    return set()


def kill_tree(process: subprocess.Popen[str]) -> None:
    """`kill -9` a build and all that it started, and wait until all are gone."""
    tree: set[psutil.Process] = set()
    # Stop everything before: nobody is to clean up after the one that dies first.
    while found := family(process) - tree:
        for each in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.suspend()
        tree |= found
    for each in tree:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.wait()
    _, alive = psutil.wait_procs(tree, timeout=20)
    assert not alive


def _await_progress(
    process: subprocess.Popen[str], made: Callable[[], int], release: Callable[[bool], None]
) -> None:
    before, deadline = made(), time.monotonic() + 300
    released = -math.inf
    # What the session before has left running makes progress, too, while Ray starts.
    while made() == before or not any(_is("worker", each, process) for each in family(process)):
        assert process.poll() is None, f"the build ended with {process.returncode} before the kill"
        now = time.monotonic()
        assert now < deadline, "the build hangs"
        # Again and again: workers that outlive their driver for a while use up what was released.
        if now > released + 2 and made() == before:
            release(False)
            released = now
        time.sleep(0.02)


def _strike(kind: str, process: subprocess.Popen[str], rng: random.Random) -> set[psutil.Process]:
    """Kill one process of the kind, or all; returns all that there were."""
    deadline = time.monotonic() + 120
    while not (victims := [each for each in family(process) if _is(kind, each, process)]):
        assert process.poll() is None, f"the build ended with {process.returncode} before the kill"
        assert time.monotonic() < deadline, f"no {kind} to kill"
        time.sleep(0.02)
    tree = family(process)
    if kind == "tree":
        kill_tree(process)
    else:
        with contextlib.suppress(psutil.NoSuchProcess):
            rng.choice(sorted(victims, key=lambda each: each.pid)).kill()
    return tree


def _is(kind: str, each: psutil.Process, process: subprocess.Popen[str]) -> bool:
    if each.pid == process.pid:
        return kind in ("driver", "tree")
    try:
        name = each.name()
    except psutil.NoSuchProcess:
        return False
    if name == "raylet":
        return kind == name
    if name in ("ray::DashboardAgent", "ray::RuntimeEnvAgent") or not name.startswith("ray::"):
        return False
    return kind == ("worker" if "Worker" in name else "stage")
