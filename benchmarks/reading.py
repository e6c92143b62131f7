"""Readers of the same pairs, side by side: gends and six others, as their own documentation says.

    python -m venv reading-env
    reading-env/bin/pip install . -r benchmarks/reading-requirements.txt
    reading-env/bin/python benchmarks/reading.py --out docs/reading-figures.json
    reading-env/bin/python benchmarks/reading.py --data ROOT --workloads crops --out X

Without --data a small dataset is made of the photographs that ship with gends. Then every reader
that is installed gets its own format of it, with the bytes of the shards, and reads it in a process
of its own: for each workload, with each number of loader workers. Readers take turns, and rounds
alternate their order; figures are medians over rounds. Pairs per second count from asking for an
epoch to its end; CPU is that of all processes; memory is the largest sum over all processes of what
they hold of their own or share (Pss_Anon + Pss_Shmem of Linux), in epochs that are not timed.
All must deliver every pair once, and the same pixels. Two cores take about twelve minutes.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import click
from reading_formats import WRITERS
from reading_readers import READERS, refusal
from reading_shapes import BATCH, CROPS, SAME, WORKLOADS
from reading_table import markdown

from gends import PairDataset

PROGRAM = Path(sys.executable).with_name("gends-build")
RUN = Path(__file__).with_name("reading_run.py")
NOTHING = "nothing"
SECONDS = 300
"""After which a measured process counts as hanging."""
MAIN = (CROPS, SAME)
"""The workloads of trainers, which are measured in more rounds than the others."""
Cell = tuple[str, int, str]
"""Workload, workers, reader."""


class Names(click.ParamType):
    """Words, separated by commas, out of those that are known."""

    name = "NAME,NAME…"

    def __init__(self, known: Any) -> None:
        self.known = list(known)

    def convert(self, value: Any, param: Any, ctx: Any) -> list[str]:
        names = str(value).split(",")
        if unknown := [name for name in names if name not in self.known]:
            self.fail(f"no {', '.join(unknown)}; there are {', '.join(self.known)}", param, ctx)
        return names


@click.command(help=__doc__.replace("\n\n", "\n\n\b\n", 1))
@click.option("--data", type=click.Path(exists=True, path_type=Path), help="Root in a folder.")
@click.option("--replicas", default=8, show_default=True, help="Without --data: 60 pairs each.")
@click.option("--workloads", type=Names(WORKLOADS), default=",".join(WORKLOADS))
@click.option("--workers", type=Names("0123456789"), default="0,1,2", show_default=True)
@click.option("--readers", type=Names(READERS), default=",".join(READERS))
@click.option("--rounds", default=3, show_default=True, help=f"Of {', '.join(MAIN)}.")
@click.option("--other-rounds", default=1, show_default=True, help="Of the other workloads.")
@click.option("--scratch", type=click.Path(path_type=Path), help="Folder for what is made.")
@click.option("--out", type=click.Path(path_type=Path), help="Keep the figures here, as JSON.")
def main(data: Path | None, scratch: Path | None, out: Path | None, **options: Any) -> None:
    missing = [name for name in options["readers"] if not is_installed(name)]
    present = [name for name in options["readers"] if name not in missing]
    counts = {name: options["rounds" if name in MAIN else "other_rounds"] for name in WORKLOADS}
    counts = {name: counts[name] for name in options["workloads"]}
    with tempfile.TemporaryDirectory(dir=scratch, prefix="reading-") as folder:
        formats = Path(folder)
        root = data or make_dataset(formats / "data", options["replicas"])
        figures = describe(root, present) | {"rounds": counts}
        write_formats(root, formats, present)
        figures["torch_mb"] = measure(NOTHING, CROPS, 0, root, formats)["peak_mb"]
        runs: dict[Cell, list[dict[str, Any]]] = defaultdict(list)
        for cell in turns(counts, [int(number) for number in options["workers"]], present):
            runs[cell].append(one(cell, root, formats, figures["pairs"]))
    compare_digests(runs)
    figures["missing"] = {name: READERS[name].package for name in missing}
    figures["figures"] = [summary(cell, found) for cell, found in sorted(runs.items())]
    if out is not None:
        out.write_text(json.dumps(figures, indent=1) + "\n")
    print(markdown(figures))


def is_installed(name: str) -> bool:
    return importlib.util.find_spec(READERS[name].module.partition(".")[0]) is not None


def make_dataset(root: Path, replicas: int) -> Path:
    """Parametric pairs of ten photographs, the pairs of each in a shard of its own."""
    with resources.as_file(resources.files("gends.jobs").joinpath("photos")) as photos:
        settings = {"clean": photos, "out": root, "engine": "parametric", "fit": "random"}
        settings |= {"replicas": replicas, "shard-size": 6 * replicas, "unit-images": 1}
        flags = [text for name, value in settings.items() for text in (f"--{name}", str(value))]
        subprocess.run([PROGRAM, "run", *flags], check=True)
    return root


def describe(root: Path, readers: list[str]) -> dict[str, Any]:
    """The dataset, the machine and the versions."""
    rows = PairDataset(root).rows
    size = sum(int(rows[f"{part}_size"].to_numpy().sum()) for part in ("gt", "lq"))
    packages = {READERS[name].package.partition("[")[0] for name in readers}
    packages |= {"torch", "pillow", "numpy"}
    return {
        "pairs": rows.num_rows,
        "shards": len(set(rows["shard"].to_pylist())),
        "sides": sorted({*rows["width"].to_pylist(), *rows["height"].to_pylist()}),
        "bytes_per_pair": round(size / rows.num_rows),
        "batch": BATCH,
        "cpus": len(os.sched_getaffinity(0)),
        "machine": f"{platform.machine()}, Linux {platform.release()}",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in sorted(packages)},
    }


def write_formats(root: Path, folder: Path, readers: list[str]) -> None:
    for name in readers:
        if name in WRITERS:
            click.echo(f"{name}: writing its format", err=True)
            WRITERS[name](root, folder)


def turns(counts: dict[str, int], workers: list[int], readers: list[str]) -> Iterator[Cell]:
    """All cells, round by round; every second round backwards, so that none always comes first."""
    for number in range(max(counts.values())):
        cells = [
            (workload, count, reader)
            for workload in counts
            if number < counts[workload]
            for count in workers
            for reader in readers
        ]
        yield from cells if number % 2 == 0 else reversed(cells)


def one(cell: Cell, root: Path, formats: Path, pairs: int) -> dict[str, Any]:
    """Figures of one process, or `reason`, why there are none."""
    workload, workers, reader = cell
    if (reason := refusal(reader, workload, workers)) is not None:
        return {"reason": reason}
    try:
        run = measure(reader, workload, workers, root, formats)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
        text = (error.stderr or b"").decode(errors="replace").strip()
        run = {"reason": f"failed: {text.splitlines()[-1] if text else error}"}
        if reader.startswith("gends"):
            raise click.ClickException(f"{cell}: {text}") from error
    for epoch in ("first", "second"):
        if epoch in run and not run[epoch]["pairs"] == run[epoch]["distinct"] == pairs:
            raise click.ClickException(f"{cell}: not every one of {pairs} pairs once: {run}")
    click.echo(f"{cell} {run}", err=True)
    return run


def measure(reader: str, workload: str, workers: int, root: Path, formats: Path) -> dict[str, Any]:
    command = [sys.executable, RUN, reader, workload, str(workers), root, formats]
    done = subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare_digests(runs: dict[Cell, list[dict[str, Any]]]) -> None:
    """Keys, and the pixels of whole pictures or the bytes, are those of the first reader."""
    for workload in {cell[0] for cell in runs}:
        found = {
            run["digest"]: cell
            for cell, several in runs.items()
            for run in several
            if cell[0] == workload and "digest" in run
        }
        if len(found) > 1:
            raise click.ClickException(f"these did not read the same: {sorted(found.values())}")


def summary(cell: Cell, runs: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians over rounds, and of pairs per second all values."""
    workload, workers, reader = cell
    row: dict[str, Any] = {"workload": workload, "workers": workers, "reader": reader}
    if reasons := [run["reason"] for run in runs if "reason" in run]:
        return row | {"reason": reasons[0]}
    for epoch in ("first", "second"):
        found = [run[epoch] for run in runs]
        speeds = [run["pairs"] / run["seconds"] for run in found]
        row[f"{epoch}_pairs_per_second"] = round(statistics.median(speeds), 1)
        row[f"{epoch}_all"] = [round(speed, 1) for speed in speeds]
        cpu = statistics.median(run["cpu"] / run["pairs"] for run in found)
        row[f"{epoch}_cpu_ms_per_pair"] = round(1e3 * cpu, 3)
    row["peak_mb"] = round(statistics.median(run["peak_mb"] for run in runs), 1)
    return row


if __name__ == "__main__":
    main()
