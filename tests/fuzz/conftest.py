"""Damaged inputs by the thousand: `fuzz` feeds them to a reader and counts what becomes of them.

Every input follows from its number. FUZZ_INPUTS says how many each module tries, FUZZ_FIRST the
number of the first: to see one again, FUZZ_INPUTS=1 FUZZ_FIRST=<its number>.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from random import Random

import pytest

INPUTS = int(os.environ.get("FUZZ_INPUTS", "400"))
FIRST = int(os.environ.get("FUZZ_FIRST", "0"))
MOST_SECONDS = 20
"""For one input: more is a hang. Busy machines are slow."""
MOST_MEMORY = 1000
"""MiB that a run may add to the process: measuring pairs of 4096 x 4096 pixels takes hundreds."""
KINDS = ("flip", "put", "insert", "cut", "truncate", "repeat", "move")


def _hung(*_: object) -> None:
    raise TimeoutError(f"one input took over {MOST_SECONDS} s")


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    signal.setitimer(signal.ITIMER_REAL, MOST_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _memory() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> Iterator[Callable[[Callable[[Random], str]], None]]:
    """(check) runs `check` on input after input; it says what became of it, or fails."""
    previous = signal.signal(signal.SIGALRM, _hung)

    def run(check: Callable[[Random], str]) -> None:
        outcomes: Counter[str] = Counter()
        before, start = _memory(), (time.monotonic(), time.process_time())
        for number in range(FIRST, FIRST + INPUTS):
            try:
                with _bounded():
                    outcomes[check(Random(number))] += 1
            except BaseException as error:
                what = f"{type(error).__name__}: {error}"
                raise AssertionError(f"FUZZ_INPUTS=1 FUZZ_FIRST={number}: {what}") from error
        seconds, busy = time.monotonic() - start[0], time.process_time() - start[1]
        grown = _memory() - before
        print(
            f"\n{request.node.name}: {outcomes.total()} inputs in {seconds:.0f} s, "
            f"{busy:.0f} s of them at work; {grown} MiB more"
        )
        for outcome, count in outcomes.most_common():
            print(f"  {count:8} {outcome}")
        assert len(outcomes) > 1 or INPUTS < 100, "inputs that all end alike reach nothing"
        assert grown < MOST_MEMORY

    yield run
    signal.signal(signal.SIGALRM, previous)


@pytest.fixture(scope="session")
def memory_folder() -> Iterator[Path]:
    """A folder in memory, where the system has one; temporary files, too, go there."""
    place = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with (
        tempfile.TemporaryDirectory(prefix="gends-fuzz-", dir=place) as folder,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(tempfile, "tempdir", folder)
        yield Path(folder)


def _damage(rng: Random, data: bytes, words: Sequence[bytes] = (), most: int = 4) -> bytes:
    for _ in range(rng.randint(0, most)):
        kind, length = rng.choice(KINDS), rng.randint(1, 64)
        at, to = rng.randint(0, len(data)), rng.randint(0, len(data))
        piece = data[at : at + length]
        word = rng.choice(words) if words and rng.random() < 0.7 else rng.randbytes(length % 9)
        if kind == "flip" and at < len(data):
            data = data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]
        elif kind == "put":
            data = data[:at] + word + data[at + len(word) :]
        elif kind == "insert":
            data = data[:at] + word + data[at:]
        elif kind == "cut":
            data = data[:at] + data[at + length :]
        elif kind == "truncate" and rng.random() < 0.5:
            data = data[:at]
        elif kind == "repeat":
            data = data[:at] + piece * rng.randint(1, 5) + data[at:]
        elif kind == "move":
            data = data[:to] + piece + data[to:]
    return data


@pytest.fixture(scope="session")
def damage() -> Callable[..., bytes]:
    """(rng, data, words=(), most=4) -> the data after up to `most` random edits."""
    return _damage
