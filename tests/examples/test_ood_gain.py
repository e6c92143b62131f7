"""The experiment's own parts: mispairing, its commands, running them, what is made of them."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gends import PairDataset
from gends.jobs.cli import group
from gends.models.files.digest import digest_folder
from gends.pipeline.keeping.dataset import open_dataset
from gends.pipeline.keeping.verify import verify
from gends.pipeline.reading.reader import read_manifest

EXAMPLE = Path(__file__).parents[2] / "examples" / "ood_gain"
MODULES = [path.stem for path in EXAMPLE.glob("*.py")]
PHOTOGRAPHS, KINDS, SEEDS = 12, ("haze", "rain"), 3
EFFECTS = {
    "start": -0.5,
    "existing": 0,
    "existing+generated": 1,
    "generated": -1,
    "existing+wide": 0.5,
    "existing+mispaired": 0.25,
}
"""Arm → what the restorers of `evaluated` gain in PSNR over `existing`, in dB."""


@pytest.fixture(scope="module")
def example() -> Iterator[SimpleNamespace]:
    """The example's modules, found as `run.py` finds them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(EXAMPLE), *sys.path])
        for name in MODULES:
            patch.delitem(sys.modules, name, raising=False)
        yield SimpleNamespace(**{name: importlib.import_module(name) for name in MODULES})
        for name in MODULES:
            del sys.modules[name]


@pytest.fixture
def experiment(example, tmp_path):
    return begun(example, tmp_path)


def rows_of(root: Path) -> dict[str, dict]:
    return {row["key"]: row for row in read_manifest(root).to_pylist()}


def test_mispaired_pictures_are_the_same_ones_and_none_is_beside_its_own(
    example, finished, tmp_path
):
    root, out = finished.store.root, tmp_path / "mispaired"
    assert example.mispair.mispair(root, out) == len(rows_of(root))
    before, after = rows_of(root), rows_of(out)
    assert before.keys() == after.keys()
    for key, row in after.items():
        donor = before[row["detail"].removeprefix("mispaired: gt of ")]
        assert row["lq_blake3"] == before[key]["lq_blake3"]
        assert row["gt_blake3"] == donor["gt_blake3"]
        assert donor["degradation"] == row["degradation"]
        assert donor["source_id"] != row["source_id"]
    for rows in (before, after):
        assert set(Counter(row["lq_blake3"] for row in rows.values()).values()) == {1}
    assert gts(before) == gts(after)


def gts(rows: dict[str, dict]) -> Counter[tuple[str, str]]:
    return Counter((row["degradation"], row["gt_blake3"]) for row in rows.values())


def test_a_mispaired_dataset_is_whole(example, finished, tmp_path):
    root, out = finished.store.root, tmp_path / "mispaired"
    example.mispair.mispair(root, out)
    problems = [problem for _, found in verify(open_dataset(out), deep=True) for problem in found]
    assert problems == []
    columns = ["key", "status", "reason"]
    assert read_manifest(out, status=None, columns=columns).equals(
        read_manifest(root, status=None, columns=columns)
    )
    assert len(PairDataset(str(out))) == len(PairDataset(str(root)))


def test_mispairing_is_a_function_of_the_seed(example, finished, tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        example.mispair.mispair(finished.store.root, tmp_path / name, seed)
    a, b, c = (
        {path.name: path.read_bytes() for path in sorted((tmp_path / name).rglob("*.tar"))}
        for name in "abc"
    )
    assert a == b != c


def test_mispairing_needs_pairs_of_several_photographs(example):
    rows = [
        {"key": f"{source}-{n}", "degradation": "snow", "source_id": source}
        for source, count in (("a", 3), ("b", 2))
        for n in range(count)
    ]
    with pytest.raises(ValueError, match="3 of 5 pairs of snow are of one photograph"):
        example.mispair.draw_donors(rows, seed=0)


def test_nothing_is_written_over(example, finished, tmp_path):
    with pytest.raises(FileExistsError, match="is there"):
        example.mispair.mispair(finished.store.root, tmp_path)


def test_every_command_is_one_that_gends_build_takes(example, experiment):
    start, _, model, *_ = experiment.models(seed=0)
    for each in (start, model):  # train and evaluate look for them at once
        experiment.result(each).mkdir(parents=True)
    steps = [
        *example.commands.profile_steps(experiment),
        *example.commands.data_steps(experiment, workers=2),
        example.commands.training_step(experiment, start),
        example.commands.training_step(experiment, model),
        example.commands.evaluation_step(experiment, model, None),
    ]
    asked = [parsed(list(step.command[1:])) for step in steps]
    assert [path for path, _ in asked] == [
        *["histograms select"] * 2,
        *["run"] * 5,
        *["train restorer"] * 2,
        "evaluate",
    ]
    first, then = asked[-3][1], asked[-2][1]
    for training in (first, then):
        assert (training["arch"], training["mix"]) == ("nafnet", "gends")
        assert training["original"] == (str(experiment.data("existing")),)
    assert (first["data"], first["model"], first["steps"]) == ((), None, 8000)
    structures = [flags["generator__structure"] for path, flags in asked if path == "run"]
    assert structures == [None, None, None, None, "photograph"]
    assert then["data"] == (str(experiment.data("generated")),)
    assert (str(then["model"]), then["steps"]) == (str(experiment.result(start)), 2000)


def test_arms_begin_with_the_start_of_their_seed_and_see_other_crops(example, experiment):
    models = [model for seed in range(SEEDS) for model in experiment.models(seed)]
    starts = {model.training_seed for model in models if model.start is None}
    assert len(starts) == SEEDS
    for model in models:
        if model.start is not None:
            assert (model.start.seed, model.start.restorer) == (model.seed, model.restorer)
            assert model.training_seed not in starts
    arms = {model.training_seed for model in models} - starts
    assert len(arms) == SEEDS


def test_starts_are_trained_before_the_arms(example, experiment, monkeypatch):
    ran = []
    monkeypatch.setattr(
        example.run, "run_steps", lambda steps, *_: ran.append([s.name for s in steps])
    )
    monkeypatch.setattr(example.run, "write_report", lambda out: out)
    example.run.compare(experiment, 1, 2, None)
    assert ran[0] == ["train-nafnet-start-0", "train-swin-start-0"]
    assert len(ran[1]) == 2 * (len(EFFECTS) - 1)
    assert [name.split("-")[0] for name in ran[2]] == ["evaluate"] * 2 * len(EFFECTS)


@pytest.mark.parametrize("flag", ["--processes", "--seeds", "--swin-start-steps", "--nafnet-steps"])
def test_counts_begin_at_one(example, flag: str, monkeypatch, capsys):
    words = ["run.py", "--photos", "a", "--held-out", "b", "--out", "c", flag, "0"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit, match="2"):
        example.run.parse()
    assert "0 is less than 1" in capsys.readouterr().err


def parsed(words: list[str]) -> tuple[str, dict]:
    """Names of a command and what it makes of its flags, without running it."""
    command, context, names = group, click.Context(group), []
    while isinstance(command, click.Group):
        name, found, words = command.resolve_command(context, words)
        assert found is not None
        command, names = found, [*names, name]
    return " ".join(names), command.make_context(names[-1], words).params


def step(example, name: str, code: str, product: Path):
    command = (sys.executable, "-c", code)
    return example.commands.Step(name=name, command=command, done=product.exists)


def test_steps_that_are_done_are_left_alone(example, tmp_path, capsys):
    names = ("a", "b", "c")
    steps = [
        step(example, name, f"open({str(tmp_path / name)!r}, 'x')", tmp_path / name)
        for name in names
    ]
    (tmp_path / "b").touch()
    example.execute.run_steps(steps, 2, tmp_path / "log")
    assert all((tmp_path / name).exists() for name in names)
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == ["a.log", "c.log"]
    assert "a done" in capsys.readouterr().out


def test_an_evaluation_counts_for_the_model_and_the_metrics_it_is_of(
    example, experiment, monkeypatch
):
    monkeypatch.delenv("GENDS_LPIPS_WEIGHTS", raising=False)
    model = experiment.models(seed=0)[0]
    result, out = experiment.result(model), experiment.evaluation(model)
    result.mkdir(parents=True)
    out.mkdir(parents=True)
    (result / "config.json").write_text("{}")
    facts = {"model_digest": digest_folder(result), "missing": {"lpips": "no weights"}}

    def is_done(weights: Path | None = None) -> bool:
        return example.commands.evaluation_step(experiment, model, weights).done()

    assert not is_done()
    (out / "evaluation.json").write_text(json.dumps(facts))
    assert is_done()
    assert not is_done(Path("alexnet.safetensors"))
    monkeypatch.setenv("GENDS_LPIPS_WEIGHTS", "alexnet.safetensors")
    assert not is_done()
    (out / "evaluation.json").write_text(json.dumps({**facts, "missing": {}}))
    assert is_done()
    (result / "config.json").write_text('{"trained": "anew"}')
    assert not is_done()


def test_a_failed_step_stops_the_others_and_says_why(example, tmp_path):
    wrong = step(example, "wrong", "raise SystemExit('no such thing')", tmp_path / "never")
    long = step(example, "long", "import time; time.sleep(600)", tmp_path / "never")
    with pytest.raises(example.execute.StepFailedError, match=r"(?s)wrong ended: .*no such thing"):
        example.execute.run_steps([long, wrong], 2, tmp_path / "log")


def test_another_experiment_in_the_same_folder_is_refused(example, experiment):
    experiment.begin_training()
    changed = example.experiment.Experiment(
        out=experiment.out,
        photos=experiment.photos,
        held_out=experiment.held_out,
        pairs=experiment.pairs,
        training=training(example, 7),
    )
    with pytest.raises(ValueError, match=r"'nafnet': 2000.*'nafnet': 7.*name another --out"):
        changed.begin_training()


def training(example, steps: int):
    counts = dict.fromkeys(example.experiment.RESTORERS, steps)
    return example.experiment.Training(steps=counts, start_steps=dict.fromkeys(counts, 8000))


def begun(example, folder: Path):
    return example.experiment.Experiment(
        out=folder / "out",
        photos=folder,
        held_out=folder,
        pairs=example.experiment.Pairs(),
        training=training(example, 2000),
    )


@pytest.fixture(scope="module")
def evaluated(example, tmp_path_factory) -> Path:
    """An experiment's folder with evaluations in which arms differ as `EFFECTS` says."""
    experiment = begun(example, tmp_path_factory.mktemp("evaluated"))
    experiment.begin_training()
    for seed in range(SEEDS):
        for model in experiment.models(seed):
            folder = experiment.evaluation(model)
            folder.mkdir(parents=True)
            pq.write_table(results(model), folder / "pairs.parquet")
            facts = {"missing": {"lpips": "no weights here"}}
            (folder / "evaluation.json").write_text(json.dumps(facts))
    return experiment.out


def results(model) -> pa.Table:
    tables = []
    for data in ("id", "ood"):
        rng = np.random.default_rng(0)  # the same pairs for all models
        shape = (PHOTOGRAPHS, len(KINDS))
        degraded = 20 + rng.normal(size=shape)
        noise = np.random.default_rng((model.seed, len(model.arm))).normal(size=shape)
        restored = degraded + 2 + EFFECTS[model.arm] * (data == "ood") + 0.05 * noise
        tables.append(
            pa.table(
                {
                    "data": [data] * degraded.size,
                    "key": [f"{n}-{kind}" for n in range(PHOTOGRAPHS) for kind in KINDS],
                    "degradation": list(KINDS) * PHOTOGRAPHS,
                    "source_id": [str(n) for n in range(PHOTOGRAPHS) for _ in KINDS],
                    **{f"{name}_degraded": degraded.ravel() for name in ("psnr", "ssim")},
                    **{f"{name}_restored": restored.ravel() for name in ("psnr", "ssim")},
                }
            )
        )
    return pa.concat_tables(tables)


@pytest.fixture(scope="module")
def reported(example, evaluated) -> Path:
    return example.report.write_report(evaluated)


def test_the_report_finds_what_is_there(example, reported):
    path = reported
    rows = pq.read_table(path.with_name("results.parquet")).to_pylist()
    whole = {"restorer": "swin", "metric": "psnr", "kind": "gain", "degradation": None}
    for arm, effect in EFFECTS.items():
        if arm == "existing":
            continue
        row = example.tables.find(rows, test="ood", arm=arm, **whole)
        assert row["value"] == pytest.approx(effect, abs=0.03)
        assert row["low"] < row["value"] < row["high"]
        assert row["high"] - row["low"] < 0.1
        assert len(row["by_seed"]) == SEEDS
        assert row["pairs"] == PHOTOGRAPHS * len(KINDS)
        assert example.tables.find(rows, test="id", arm=arm, **whole)["value"] == pytest.approx(
            0, abs=0.03
        )
    pairing = whole | {"kind": "pairing"}
    row = example.tables.find(rows, test="ood", arm="existing+generated", **pairing)
    assert row["value"] == pytest.approx(1 - 0.25, abs=0.03)
    text = path.read_text()
    assert "| swin | ood | PSNR | worse | better | worse | better | better |" in text
    assert "LPIPS is missing: no weights here." in text
    assert "what existing+wide gains comes from severities" in text
    assert "existing+mispaired rules out only that a gain comes from seeing more pictures" in text
    # Two restorers, sets and metrics; five arms and a control; as many for each degradation.
    assert "48 gains over all pairs, with those over the control, and 96 by degradation" in text
    assert "lpips" not in {row["metric"] for row in rows}
    assert text.count("ain over existing+mispaired") == 2 * 2
    shown = sorted(picture.name for picture in path.parent.glob("*.png"))
    assert shown == ["degradations-id.png", "degradations-ood.png", "gains.png"]
    assert all(f"({name})" in text for name in shown)


def test_equal_evaluations_give_equal_reports(example, evaluated, reported):
    first = files_beside(reported)
    assert files_beside(example.report.write_report(evaluated)) == first


def files_beside(report: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in report.parent.iterdir()}


def test_seeds_that_are_not_whole_do_not_count(example, evaluated, experiment):
    shutil.copytree(evaluated, experiment.out)
    assert example.scores.judged_seeds(experiment.out) == [0, 1, 2]
    for seed, left in ((1, [0]), (0, [])):
        (experiment.evaluation(experiment.models(seed)[-1]) / "evaluation.json").unlink()
        assert example.scores.judged_seeds(experiment.out) == left
    with pytest.raises(ValueError, match="no seed of which all arms were evaluated"):
        example.report.write_report(experiment.out)


def test_evaluations_of_other_pairs_are_refused(example, evaluated, experiment):
    shutil.copytree(evaluated, experiment.out)
    path = experiment.evaluation(experiment.models(seed=2)[3]) / "pairs.parquet"
    pq.write_table(pq.read_table(path).slice(1), path)
    with pytest.raises(ValueError, match="evaluated on other pairs of id"):
        example.report.write_report(experiment.out)


def test_an_interval_is_as_wide_as_photographs_and_seeds_differ(example):
    rng = np.random.default_rng(0)
    photographs = np.repeat(np.arange(24), 2)
    seeds = np.array([-1.0, 0.0, 1.0])[:, None]
    pictures = np.repeat(rng.normal(size=24), 2)[None]

    def width(values: np.ndarray) -> float:
        interval = example.summary.two_way_interval(values, photographs)
        return interval.high - interval.low

    assert width(np.zeros((3, 48))) == 0
    assert width(np.tile(seeds, 48)) == pytest.approx(2 * 1.0, abs=0.4)
    expected = 2 * 1.96 * pictures[0, ::2].std() / np.sqrt(24)
    assert width(np.tile(pictures, (3, 1))) == pytest.approx(expected, rel=0.1)
    assert width(pictures + seeds / 5) > 1.1 * expected
    assert example.summary.two_way_interval(np.zeros((3, 8)), np.arange(8) // 2) is None
