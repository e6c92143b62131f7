"""What many requests and many shards cost: time, memory of the driver, bookkeeping, resuming.

    python benchmarks/scale.py --requests 3000,30000 --shards 100,1000 --json scale.json
    python benchmarks/scale.py --requests 1000000 --shards '' --json scale.json --plots docs/images
    python benchmarks/scale.py --requests '' --shards '' --buckets 1000 --json scale.json

Builds go through `gends-build run` with the weight-free engine at 16 pixels, on pieces of
photographs of 16 to 64 pixels in tar shards; every request must end in exactly one row. Roots to
resume hold shards of one photograph each, one shard missing; what is timed is the real driver, from
the start of its process to the first unit it sends. `--buckets` does that with a root behind a
local S3 server. Results in `--json` are kept, those of the same size replaced.
"""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import fpng
import numpy as np
import psutil
import pyarrow.compute as pc
import pyarrow.dataset as ds
import skimage.data
from rich.console import Console
from rich.table import Table

PROGRAM = Path(sys.executable).with_name("gends-build")
RESUMING = Path(__file__).with_name("scale_resume.py")
PLOTTING = Path(__file__).with_name("scale_plots.py")
PER_IMAGE = 6
"""Requests of a photograph: one for each degradation."""
PER_TAR = 10_000
Result = dict[str, Any]


class Sizes(click.ParamType):
    """Whole numbers, separated by commas; an empty text is none."""

    name = "N,N…"

    def convert(self, value: Any, param: Any, ctx: Any) -> list[int]:
        return [int(part) for part in str(value).split(",") if part]


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n", 1))
@click.option("--requests", type=Sizes(), default="3000,10000,30000", help="Sizes of builds.")
@click.option("--shards", type=Sizes(), default="100,1000", help="Sizes of roots to resume.")
@click.option("--buckets", type=Sizes(), default="", help="The same behind a local S3 server.")
@click.option("--unit-images", default=32, show_default=True, help="Photographs per unit.")
@click.option("--shard-size", default=1000, show_default=True, help="Requests per shard.")
@click.option("--workers", default=2, show_default=True)
@click.option(
    "--scratch", type=click.Path(path_type=Path), help="Folder for roots; 5 GB a million."
)
@click.option("--json", "file", type=click.Path(path_type=Path), help="Keep the figures here.")
@click.option("--plots", type=click.Path(path_type=Path), help="Draw all kept figures in a folder.")
def main(
    requests: list[int],
    shards: list[int],
    buckets: list[int],
    scratch: Path | None,
    file: Path | None,
    plots: Path | None,
    **flags: int,
) -> None:
    known: dict[str, dict[str, Result]] = {"builds": {}, "resumes": {}, "buckets": {}}
    if file is not None and file.exists():
        known |= json.loads(file.read_text())
    with tempfile.TemporaryDirectory(dir=scratch, prefix="scale-") as folder:
        for kind, size, result in measure(Path(folder), requests, shards, buckets, flags):
            known[kind][str(size)] = result
            show(kind, size, result)
            if file is not None:
                file.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    if plots is not None and file is not None:
        subprocess.run([sys.executable, PLOTTING, file, plots], check=True)


def measure(
    folder: Path,
    requests: list[int],
    shards: list[int],
    buckets: list[int],
    flags: dict[str, int],
) -> Iterator[tuple[str, int, Result]]:
    most = max([-(-n // PER_IMAGE) for n in requests] + shards + buckets, default=0)
    photographs = folder / "photographs"
    make_photographs(photographs, most)
    for number in requests:
        images = -(-number // PER_IMAGE)
        yield "builds", number, build(photographs, folder / f"build-{number}", images, flags)
    for number in shards:
        yield "resumes", number, resume("disk", photographs, folder / f"resume-{number}", number)
    for number in buckets:
        yield "buckets", number, resume("s3", photographs, folder / f"bucket-{number}", number)


def make_photographs(folder: Path, count: int) -> None:
    """Pieces of three photographs at seeded places, as PNG in tar shards."""
    folder.mkdir()
    pictures = [getattr(skimage.data, name)() for name in ("astronaut", "chelsea", "coffee")]
    rng = np.random.default_rng(0)
    for start in range(0, count, PER_TAR):
        with tarfile.open(folder / f"{start // PER_TAR:04d}.tar", "w") as archive:
            for number in range(start, min(start + PER_TAR, count)):
                picture, side = pictures[number % 3], int(rng.integers(16, 65))
                top, left = (int(rng.integers(length - side + 1)) for length in picture.shape[:2])
                piece = np.ascontiguousarray(picture[top : top + side, left : left + side])
                data = bytes(fpng.from_ndarray(piece))
                member = tarfile.TarInfo(f"{number:07d}.png")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))


def build(photographs: Path, root: Path, images: int, flags: dict[str, int]) -> Result:
    """One build by the real command, watched from outside, and its rows counted."""
    settings = {"clean": photographs, "out": root, "limit": images, "engine": "dry"}
    settings |= {"resolution": 16, **flags}
    pairs = [text for name, value in settings.items() for text in (_flag(name), str(value))]
    started = time.perf_counter()
    process = subprocess.Popen(
        [PROGRAM, "run", "--json", *pairs], stdout=subprocess.PIPE, text=True
    )
    watch = Watch(process.pid, root)
    watch.start()
    assert process.stdout is not None
    events = []
    for line in process.stdout:
        events.append(json.loads(line) | {"driver_mb": watch.private_mb})
    if process.wait() != 0:
        raise click.ClickException(f"{root.name}: the build ended with {process.returncode}")
    seconds = time.perf_counter() - started
    watch.join()
    progress = [event for event in events if event["event"] == "progress"]
    made = progress[-1]["done"]
    return flags | {
        "requests": made,
        "seconds": round(seconds, 1),
        "seconds_of_the_loop": progress[-1]["seconds"],
        "ms_per_request": round(progress[-1]["seconds"] / made * 1e3, 3),
        "driver_peak_mb": watch.peak_mb,
        "driver_private_peak_mb": watch.private_peak_mb,
        "driver_private_mb": [(event["done"], event["driver_mb"]) for event in progress],
        "work_peak_bytes": watch.work_peak,
        **counted(root, made),
        **stored(root, made),
    }


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


class Watch(threading.Thread):
    """Looks at a driver's memory and at the durable units under its root while it runs."""

    def __init__(self, pid: int, root: Path) -> None:
        super().__init__(daemon=True)
        self.process, self.root = psutil.Process(pid), root
        self.private_mb = self.private_peak_mb = self.peak_mb = 0
        self.work_peak = 0

    def run(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            while self.process.status() != psutil.STATUS_ZOMBIE:
                self._look()
                time.sleep(0.2)

    def _look(self) -> None:
        memory = self.process.memory_info()
        # What is shared is Ray's object store, which the driver only looks into.
        self.private_mb = (memory.rss - memory.shared) >> 20
        self.private_peak_mb = max(self.private_peak_mb, self.private_mb)
        self.peak_mb = max(self.peak_mb, memory.rss >> 20)
        self.work_peak = max(self.work_peak, bytes_under(self.root / "work"))


def counted(root: Path, made: int) -> Result:
    """The rows of all manifests: each request must have exactly one."""
    manifests = ds.dataset(root / "manifest", format="parquet")
    rows = manifests.to_table(columns=["key", "status"])
    keys = pc.count_distinct(rows["key"]).as_py()
    if not rows.num_rows == keys == made:
        raise click.ClickException(f"{made} requests, {rows.num_rows} rows, {keys} keys")
    statuses = Counter(rows["status"].to_pylist())
    return {"rows": rows.num_rows, "distinct_keys": keys, "statuses": dict(statuses)}


def stored(root: Path, made: int) -> Result:
    """Bytes and number of files under a finished root."""
    parts = {
        "manifest": bytes_under(root / "manifest"),
        "catalog": (root / "catalog.parquet").stat().st_size,
        "identity": sum(
            (root / n).stat().st_size for n in ("dataset.json", "severity_profile.json")
        ),
        "shard": bytes_under(root / "shards"),
    }
    sizes = {f"{name}_bytes_per_request": round(size / made, 2) for name, size in parts.items()}
    return sizes | {"files": sum(path.is_file() for path in root.rglob("*"))}


def bytes_under(folder: Path) -> int:
    sizes = 0
    for path in folder.rglob("*"):
        try:
            sizes += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:  # sealed in between
            continue
    return sizes


def resume(kind: str, photographs: Path, root: Path, shards: int) -> Result:
    command = [sys.executable, str(RESUMING), kind, str(photographs), str(root), str(shards)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def show(kind: str, size: int, result: Result) -> None:
    table = Table("figure", "value", title=f"{kind}: {size}", box=None)
    for name, value in result.items():
        if not isinstance(value, list):
            table.add_row(name, str(value))
    Console().print(table)


if __name__ == "__main__":
    main()
