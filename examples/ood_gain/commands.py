"""The commands that the experiment consists of, in the order in which they run."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from experiment import ARMS, NARROW, REST, SEEN, TESTS, UNSEEN, Experiment, Model

from gends.models.files.digest import digest_folder
from gends.pipeline.format.identity import read_identity
from gends.pipeline.reading.reader import readable_shards
from gends.pipeline.storage.opening import open_store

PROGRAM = str(Path(sys.executable).with_name("gends-build"))
MISPAIR = str(Path(__file__).with_name("mispair.py"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command and how to know that it need not run."""

    name: str
    command: tuple[str, ...]
    done: Callable[[], bool]


def profile_steps(experiment: Experiment) -> Iterator[Step]:
    """Which severities pairs have: those of a few datasets, and those of all others."""
    for name, datasets in (("narrow", NARROW), ("rest", REST)):
        file = experiment.profile(name)
        yield _step(
            name,
            ("histograms", "select", "reference"),
            *(("--dataset", dataset) for dataset in datasets),
            ("--out", file),
            done=file.exists,
        )


def data_steps(experiment: Experiment, workers: int) -> Iterator[Step]:
    """Pairs to train on, and pairs of other photographs to judge on."""
    pairs = experiment.pairs
    formulas = ("--engine", "parametric", "--variants")
    # Crops of training photographs differ from replica to replica; those to judge on do not.
    train = ("--clean", experiment.photos, "--replicas", pairs.replicas, "--fit", "random")
    test = ("--clean", experiment.held_out, "--replicas", pairs.test_replicas)
    narrow = ("--profile", experiment.profile("narrow"))
    rest = ("--profile", experiment.profile("rest"))
    roots = {
        "existing": (*formulas, SEEN, *narrow, *train),
        "wide": (*formulas, SEEN, *train),
        "id": (*formulas, SEEN, *narrow, *test),
        "ood": (*formulas, UNSEEN, *rest, *test),
        "generated": (
            *("--engine", "gendeg", "--model", "gendeg-mini", "--structure", pairs.structure),
            *train,
        ),
    }
    limit = () if pairs.limit is None else ("--limit", pairs.limit)
    for name, settings in roots.items():
        root = experiment.data(name)
        common = ("--resolution", pairs.resolution, "--shard-size", 200, "--workers", workers)
        common += experiment.cluster
        yield _step(
            name, ("run", "--out", root), settings, common, limit, done=lambda r=root: whole(r)
        )


def mispairing_step(experiment: Experiment) -> Step:
    """The control's data: generated pairs whose pictures do not belong together."""
    source, root = experiment.data("generated"), experiment.data("mispaired")
    command = (sys.executable, MISPAIR, str(source), str(root))
    return Step(name="mispaired", command=command, done=root.exists)


def training_step(experiment: Experiment, model: Model) -> Step:
    """Train one restorer; a training that was stopped goes on. `START` is to be there before."""
    training, arm, start = experiment.training, ARMS[model.arm], model.start
    steps = training.steps if start else training.start_steps
    result = experiment.result(model)
    return _step(
        f"train-{model.name}",
        ("train", "restorer", "--arch", model.restorer, "--preset", "tiny"),
        *(("--original", experiment.data(name)) for name in arm.original),
        *(("--data", experiment.data(name)) for name in arm.data),
        ("--mix", "gends", "--seed", model.training_seed),
        () if start is None else ("--model", experiment.result(start)),
        ("--steps", steps[model.restorer], "--batch-size", training.batch_size),
        ("--crop", training.crops[model.restorer], "--sample-every", 0),
        ("--device", training.device),
        ("--workers", 1, "--threads", 1, "--loader-workers", 0),
        ("--run", experiment.run(model), *experiment.cluster),
        done=result.exists,
    )


def evaluation_step(experiment: Experiment, model: Model, lpips_weights: Path | None) -> Step:
    """Judge one restorer on pairs as it was trained on, and on others."""
    out = experiment.evaluation(model)
    return _step(
        f"evaluate-{model.name}",
        ("evaluate", experiment.result(model)),
        *(("--data", experiment.data(name)) for name in TESTS),
        ("--metrics", "psnr,ssim,lpips", "--fp32", "--threads", 1),
        ("--device", experiment.training.device),
        () if lpips_weights is None else ("--lpips-weights", lpips_weights),
        # Over an evaluation of what the model was before, or one without LPIPS.
        ("--out", out, "--overwrite"),
        done=lambda: judged(out / "evaluation.json", experiment.result(model), lpips_weights),
    )


def judged(record: Path, result: Path, lpips_weights: Path | None) -> bool:
    """Whether an evaluation is of this very model, with LPIPS if its weights are there."""
    if not record.exists():
        return False
    facts = json.loads(record.read_text(encoding="utf-8"))
    weights = lpips_weights or os.environ.get("GENDS_LPIPS_WEIGHTS")
    lacks_lpips = "lpips" in facts["missing"] and weights and find_spec("lpips")
    return facts["model_digest"] == digest_folder(result) and not lacks_lpips


def whole(root: Path) -> bool:
    """Whether all shards of a dataset are sealed."""
    if not (root / "dataset.json").exists():
        return False
    store = open_store(root)
    return len(readable_shards(store)) == read_identity(store)["num_shards"]


def _step(name: str, *parts: tuple[object, ...], done: Callable[[], bool]) -> Step:
    words = (str(word) for part in parts for word in part)
    return Step(name=name, command=(PROGRAM, *words), done=done)
