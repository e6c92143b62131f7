"""One reader, one workload, one number of workers, in a process of its own; see `reading.py`.

    python benchmarks/reading_run.py READER WORKLOAD WORKERS ROOT FORMATS

Prints a line of JSON. Two epochs are timed. Those after them, for at least a second, are not:
memory is sampled, and of whole pictures the pixels are summed up. READER `nothing` only imports
torch.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import torch
from reading_readers import READERS, Task
from reading_shapes import BATCH, BYTES, CROP, CROPPED, WHOLE, Batch

NOTHING = "nothing"
SAMPLING_SECONDS = 1.0
KINDS = ("Pss_Anon", "Pss_Shmem")
"""Memory that a process has of its own or shares with others, each page divided by those who map
it. Mapped files are left out: the system takes their pages back whenever it needs them."""


def main(name: str, workload: str, workers: str, root: str, formats: str) -> None:
    torch.set_num_threads(1)  # as loaders of torch do in their workers
    if name == NOTHING:
        print(json.dumps({"peak_mb": peak_memory(lambda: time.sleep(0.1))}))
        return
    task = Task(workload, int(workers), Path(root).resolve(), Path(formats).resolve())
    epoch = READERS[name].open(task)
    timings = [timed(epoch, number, task) for number in range(2)]
    digests: list[str] = []
    peak = peak_memory(lambda: digests.append(digest(epoch(2), task)))
    result = {"first": timings[0], "second": timings[1], "digest": digests[0], "peak_mb": peak}
    print(json.dumps(result), flush=True)


def timed(epoch: Callable[[int], Iterable[Batch]], number: int, task: Task) -> dict[str, float]:
    """Seconds from asking for an epoch to its end, CPU seconds of all processes, and its pairs."""
    keys: list[str] = []
    cpu, start = cpu_seconds(), time.perf_counter()
    for batch in epoch(number):
        if not keys:
            check(batch, task)
        keys += batch["key"]
    seconds, cpu = time.perf_counter() - start, cpu_seconds() - cpu
    return {"seconds": seconds, "cpu": cpu, "pairs": len(keys), "distinct": len(set(keys))}


def check(batch: Batch, task: Task) -> None:
    """Every reader has to deliver the same kind of batch."""
    for pictures in (batch["lq"], batch["gt"]):
        assert len(pictures) == BATCH
        if task.workload == BYTES:
            assert isinstance(pictures[0], bytes)
            continue
        assert pictures.dtype == torch.float32
        assert pictures.shape[1] == 3
        assert pictures.min() >= 0
        assert 0.1 < pictures.max() <= 1
        assert task.workload not in CROPPED or pictures.shape[2:] == (CROP, CROP)


def cpu_seconds() -> float:
    """Of this process and all below it, those that have ended among them."""
    ended = os.times()
    total = time.process_time() + ended.children_user + ended.children_system
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def peak_memory(work: Callable[[], None]) -> float:
    """MB of all processes at once, the largest of what is seen while work is done repeatedly."""
    peak, stop = [0.0], threading.Event()

    def sample() -> None:
        while not stop.is_set():
            processes = [psutil.Process(), *psutil.Process().children(recursive=True)]
            peak[0] = max(peak[0], sum(memory_mb(process.pid) for process in processes))
            stop.wait(0.02)

    thread = threading.Thread(target=sample)
    thread.start()
    start = time.perf_counter()
    try:
        while time.perf_counter() - start < SAMPLING_SECONDS:
            work()
    finally:
        stop.set()
        thread.join()
    return peak[0]


def memory_mb(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except (FileNotFoundError, ProcessLookupError):  # it has just ended
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith(KINDS)) / 1024


def digest(batches: Iterable[Batch], task: Task) -> str:
    """Of the keys, with whole pictures of the pixels, too; in any order."""
    found = []
    for batch in batches:
        sums = [batch[part] if task.workload == BYTES else [b""] * BATCH for part in ("lq", "gt")]
        if task.workload == WHOLE:
            sums = [list(batch[part].mul(255).round().byte().numpy()) for part in ("lq", "gt")]
        for key, *pictures in zip(batch["key"], *sums, strict=False):
            found.append([key, *map(zlib.crc32, pictures)])
    return hashlib.sha256(json.dumps(sorted(found)).encode()).hexdigest()


if __name__ == "__main__":
    main(*sys.argv[1:])
