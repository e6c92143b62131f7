"""What came out, as tables and plots, from the evaluations that are there.

    python examples/ood_gain/report.py FOLDER

FOLDER is that of `run.py`, which calls this after every seed. Equal evaluations give equal files.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pyarrow.parquet as pq
from experiment import ARMS, BASELINE, CONTROL, COVERING, START, TESTS
from plots import plot_degradations, plot_gains
from scores import METRICS, Scores, judged_seeds, missing_metrics, read_scores
from summary import RESAMPLES, summarise
from tables import Row, answers, by_seed, degradations, figures, restorers

from gends.pipeline.reading.reader import read_manifest

TITLES = {
    "mean": "restored pictures",
    "gain": f"gain over {BASELINE}",
    "pairing": f"gain over {CONTROL}",
}
"""Kind of figure → heading of its tables."""


def write_report(out: Path) -> Path:
    """Write report.md, results.parquet and plots to `out`/report; returns the report.

    Raises:
        ValueError: no seed was evaluated with all arms, or on different pairs.
    """
    seeds = judged_seeds(out)
    if not seeds:
        raise ValueError(f"{out}/evaluations has no seed of which all arms were evaluated yet")
    missing = missing_metrics(out, seeds)
    metrics = [name for name in METRICS if name not in missing]
    tests = {test: read_scores(out, seeds, test, metrics) for test in TESTS}
    results = summarise(tests)
    folder = out / "report"
    folder.mkdir(exist_ok=True)
    pq.write_table(results, folder / "results.parquet", compression="zstd")
    rows = results.to_pylist()
    plot_gains(rows, metrics, folder / "gains.png")
    for test in TESTS:
        plot_degradations(rows, metrics, test, folder / f"degradations-{test}.png")
    told = [*notes(out, seeds, tests, missing), *limits(rows)]
    path = folder / "report.md"
    path.write_text("\n\n".join(sections(rows, metrics, told)) + "\n", encoding="utf-8")
    return path


def notes(
    out: Path, seeds: Sequence[int], tests: Mapping[str, Scores], missing: Mapping[str, str]
) -> Iterator[str]:
    """What has to be known to read the tables."""
    training = json.loads((out / "training.json").read_text(encoding="utf-8"))
    crops = training["crops"]
    courses = ", ".join(
        f"{name} {training['start_steps'][name]} and {steps} steps "
        f"of {training['batch_size']} crops of {crops[name]} pixels"
        for name, steps in training["steps"].items()
    )
    yield f"Tiny restorers, {START} and each arm from there: {courses}; {len(seeds)} seeds."
    for name in dict.fromkeys(data for arm in ARMS.values() for data in (*arm.original, *arm.data)):
        root = out / "data" / name
        if root.exists():
            yield f"{name}: {len(read_manifest(root, columns=['key']))} pairs."
    for test, scores in tests.items():
        photographs = len(set(scores.photographs.tolist()))
        yield f"{test}: {len(scores.photographs)} pairs of {photographs} held-out photographs."
    yield (
        "Figures are means over pairs and seeds. In brackets 95 % percentile bootstrap intervals: "
        f"each of {RESAMPLES} resamples draws photographs, with all of their pairs, and "
        "independently of that seeds, both with replacement. Few seeds show too little of their "
        "spread, so the seeds' own figures stand beside them."
    )
    yield (
        f"A gain is an arm minus {BASELINE}, pair by pair and seed by seed: both begin with the "
        f"{START} of that seed. better and worse: its interval is on one side of 0; open: it is "
        "not, or there are too few photographs for one."
    )
    yield (
        f"{START} is an arm, too: where it is better than {BASELINE}, going on has forgotten, and "
        "whatever takes steps away from it forgets less."
    )
    for name, reason in missing.items():
        yield f"{name.upper()} is missing: {reason}."


def limits(rows: Sequence[Row]) -> Iterator[str]:
    """What these figures do not tell."""
    gains = [row for row in rows if row["kind"] != "mean"]
    overall = sum(row["degradation"] is None for row in gains)
    yield (
        "Generated pairs ask for the severities of all datasets of the reference profile, those of "
        f"ood among them; {BASELINE} pairs for those of id alone. {COVERING} has the severities "
        f"without other formulas: what {COVERING} gains comes from severities."
    )
    yield (
        f"{CONTROL} rules out only that a gain comes from seeing more pictures: it sees the same "
        "ones, and not what belongs together. Where it gains, too, look at what the pairs gain "
        "beyond it."
    )
    yield (
        f"Intervals are not corrected for how many there are: {overall} gains over all pairs, with "
        f"those over the control, and {len(gains) - overall} by degradation. About one in 20 would "
        "miss a difference of none."
    )


def sections(rows: Sequence[Row], metrics: Sequence[str], told: Sequence[str]) -> Iterator[str]:
    """Of the report, in Markdown."""
    yield "# What generated pairs change out of distribution"
    yield "\n".join(f"- {note}" for note in told)
    yield f"## Better than {BASELINE}?\n\n{answers(rows, metrics)}"
    yield f"{CONTROL} must not be better. ![Gains of all arms](gains.png)"
    for restorer in restorers(rows):
        yield f"## {restorer}"
        for kind, title in TITLES.items():
            yield f"### {title.capitalize()}\n\n{figures(rows, metrics, restorer, kind)}"
        seeds = figures(rows, metrics, restorer, "gain", cell=by_seed)
        yield f"### Gain over {BASELINE}, seed by seed\n\n{seeds}"
    yield "## By degradation"
    for test in TESTS:
        yield f"![Gains by degradation, {test}](degradations-{test}.png)"
    names = degradations(rows)
    for restorer in restorers(rows):
        for kind, title in TITLES.items():
            body = figures(rows, metrics, restorer, kind, degradations=names)
            yield f"### {restorer}: {title}\n\n{body}"


if __name__ == "__main__":
    print(write_report(Path(sys.argv[1])))
