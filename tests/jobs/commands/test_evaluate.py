from __future__ import annotations

import json
import shutil
import sys

import pyarrow.parquet as pq
import pytest

from gends.jobs.training.inputs import source_of
from gends.jobs.training.trained_on import RECORD, History, TrainingData
from gends.models.restorers.architectures import create, save


@pytest.fixture(scope="module")
def sets(photos, build_dataset, tmp_path_factory):
    """Two datasets of four photographs each, and none in both."""
    folder = tmp_path_factory.mktemp("sets")
    lines = photos.read_text().splitlines()
    roots = []
    for name, rows in (("first", lines[1:5]), ("second", lines[5:9])):
        source = photos.parent / f"{name}.csv"
        source.write_text("\n".join([lines[0], *rows]) + "\n")
        settings = {"degradations": ["rain", "motion_blur"], "replicas": 2}
        roots.append(build_dataset(source, folder / name, **settings).store.root)
    return roots


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    save(create("nafnet", "tiny", seed=0), folder)
    return folder


FAST = ("--metrics", "psnr,ssim", "--resamples", 100)


def test_a_model_on_two_datasets_gives_tables_plots_and_every_pair(cli, model, sets, tmp_path):
    out = tmp_path / "out"
    data = [argument for root in sets for argument in ("--data", root)]
    ended = cli("evaluate", model, *data, *FAST, "--out", out)
    assert ended.code == 0, ended.err
    assert "## first" in ended.out
    assert "## second" in ended.out
    assert ended.out == (out / "tables.md").read_text()
    assert r"\toprule" in (out / "tables.tex").read_text()
    pairs = pq.read_table(out / "pairs.parquet").to_pandas()
    assert set(pairs.data) == {"first", "second"}
    assert pairs.key.nunique() == len(pairs) > 20
    assert {"psnr_degraded", "psnr_restored", "mu", "source_blake3"} <= set(pairs.columns)
    groups = pq.read_table(out / "groups.parquet").to_pandas()
    whole = groups[groups.degradation.isna() & (groups.images == "restored")]
    means = pairs.groupby("data").psnr_restored.mean()
    for row in whole[whole.metric == "psnr"].itertuples():
        assert row.value == pytest.approx(means[row.data])
    plots = {path.name for path in (out / "plots").iterdir()}
    assert {"first-psnr.png", "first-psnr.svg", "second-ssim.svg"} <= plots
    record = json.loads((out / "evaluation.json").read_text())
    assert record["data"]["first"]["shards"]
    assert record["model_digest"]
    assert record["sources"].startswith("NOT checked")
    assert "NOT checked whether photographs were trained on" in ended.out
    again = cli("evaluate", model, *data, *FAST, "--out", out)
    assert again.code == 2
    assert "holds an evaluation; name another folder, or --overwrite it" in again.err
    (out / "plots" / "mine.txt").write_text("kept")
    again = cli("evaluate", model, "--data", sets[1], *FAST, "--out", out, "--overwrite")
    assert again.code == 0, again.err
    plots = {path.name for path in (out / "plots").iterdir()}
    assert {"second-psnr.png", "mine.txt"} < plots
    assert not any(name.startswith("first") for name in plots)


def test_restored_pictures_of_a_folder_score_as_the_model_that_made_them(
    cli, model, sets, tmp_path
):
    restored = tmp_path / "restored"
    assert cli("restore", model, sets[0], restored).code == 0
    of_folder = cli("evaluate", restored, "--data", sets[0], *FAST)
    of_model = cli("evaluate", model, "--data", sets[0], *FAST)
    assert of_folder.code == of_model.code == 0
    tables = [ended.out.partition("## first")[2] for ended in (of_folder, of_model)]
    assert tables[0] == tables[1] != ""
    next(restored.glob("*-rain-*")).unlink()
    ended = cli("evaluate", restored, "--data", sets[0], *FAST)
    assert ended.code == 2
    assert "1 pairs of first have no restored picture" in ended.err
    ended = cli("evaluate", restored, "--data", sets[0], *FAST, "--degradations", "motion_blur")
    assert ended.code == 0


def test_pictures_of_another_dataset_are_refused_though_their_keys_are_the_same(
    cli, model, sets, tmp_path
):
    twin = tmp_path / "twin"  # as sets[0], with its last shard not there yet
    shutil.copytree(sets[0], twin)
    sorted((twin / "manifest").iterdir())[-1].unlink()
    restored = tmp_path / "restored"
    assert cli("restore", model, sets[0], restored).code == 0
    ended = cli("evaluate", restored, "--data", twin, *FAST)
    assert ended.code == 2
    assert "holds restored pictures of another dataset than" in ended.err
    both = ("--data", sets[0], "--data", twin)
    ended = cli("evaluate", restored, *both, *FAST)
    assert ended.code == 2
    assert "pairs of first have no restored picture KEY.png" in ended.err
    (restored / "restored.json").rename(tmp_path / "record")
    for name in ("first", "twin"):
        shutil.copytree(restored, tmp_path / "several" / name)
    assert cli("evaluate", tmp_path / "several", *both, *FAST).code == 0
    shutil.copy(tmp_path / "record", tmp_path / "several" / "twin" / "restored.json")
    assert "another dataset than" in cli("evaluate", tmp_path / "several", *both, *FAST).err
    shutil.move(twin, tmp_path / "deeper" / "first")
    ended = cli("evaluate", restored, *both[:3], tmp_path / "deeper" / "first", *FAST)
    assert ended.code == 2
    assert "cannot hold the restored pictures of two datasets" in ended.err


def test_photographs_that_were_trained_on_are_refused_by_name(cli, model, sets, tmp_path):
    first, second = sets
    ended = cli("evaluate", model, "--data", first, "--data", second, "--train-data", second, *FAST)
    assert ended.code == 2
    assert "4 photographs to test on are in the training data" in ended.err
    assert f"{second}: chelsea left" in ended.err or f"{second}: rocket left" in ended.err
    ended = cli("evaluate", model, "--data", first, "--train-data", second, *FAST)
    assert ended.code == 0
    assert f"No photograph is in the training data ({second}), by content." in ended.out


def write_record(folder, root, split=None, *, trained_on=None):
    """As a training on `root` leaves it, which then held what `trained_on` holds now."""
    save(create("nafnet", "tiny", seed=0), folder)
    source = source_of(trained_on or root)
    history = History().then([TrainingData(root=str(root), split=split, source=source)])
    (folder / RECORD).write_text(json.dumps({"trained_on": history.to_json()}))


def test_the_training_data_of_a_models_own_record_count(cli, sets, tmp_path):
    for root, split, code, words in (
        (sets[0], None, 2, "photographs to test on are in the training data"),
        (sets[1], "train", 0, "No photograph is in the training data"),
    ):
        write_record(tmp_path, root, split)
        ended = cli("evaluate", tmp_path, "--data", sets[0], *FAST)
        assert ended.code == code
        assert words in ended.out + ended.err
    record = tmp_path / "training.json"
    record.write_text("{}")
    ended = cli("evaluate", tmp_path, "--data", sets[0], *FAST)
    assert ended.code == 2
    assert "training.json: damaged" in ended.err
    ended = cli("evaluate", tmp_path, "--data", sets[0], "--train-data", sets[1], *FAST)
    assert ended.code == 0
    assert "NOT checked whether photographs were trained on" in ended.out


def test_data_that_are_not_what_was_trained_on_are_no_check(cli, sets, tmp_path):
    first, second = sets
    gone = tmp_path / "gone"
    for root, why in ((gone, "is not there any more"), (second, "holds another dataset by now")):
        write_record(tmp_path, root, trained_on=first)
        ended = cli("evaluate", tmp_path, "--data", second, *FAST)
        assert ended.code == 0
        assert "NOT checked whether photographs were trained on: of the training" in ended.out
        assert f"{root} {why}" in ended.out
        assert "No photograph is in the training data" not in ended.out
        # Found where they lie now, be it as what is evaluated on.
        ended = cli("evaluate", tmp_path, "--data", first, *FAST)
        assert "photographs to test on are in the training data" in ended.err


def test_a_dataset_that_lost_a_shard_since_is_compared_all_the_same(cli, sets, tmp_path):
    first, second = sets
    write_record(tmp_path, first)
    record = json.loads((tmp_path / RECORD).read_text())
    record["trained_on"]["data"][0]["source"]["shards"] = "more than there are"
    (tmp_path / RECORD).write_text(json.dumps(record))
    ended = cli("evaluate", tmp_path, "--data", first, *FAST)
    assert "photographs to test on are in the training data" in ended.err
    ended = cli("evaluate", tmp_path, "--data", second, *FAST)
    assert ended.code == 0
    assert f"the shards of {first} are not those that were trained on" in ended.out


def test_what_the_first_weights_saw_stays_unknown(cli, sets, tmp_path):
    first, second = sets
    write_record(tmp_path, first)
    record = json.loads((tmp_path / RECORD).read_text())
    record["trained_on"]["unknown"] = "theirs.pth"
    (tmp_path / RECORD).write_text(json.dumps(record))
    ended = cli("evaluate", tmp_path, "--data", second, "--train-data", first, *FAST)
    assert ended.code == 0
    assert "theirs.pth has no training.json that says what it was trained on" in ended.out


def test_a_split_that_training_data_lack_is_refused(cli, model, sets):
    first = sets[0]
    named = ["--data", first, "--train-data", first, *FAST]
    ended = cli("evaluate", model, *named, "--train-split", "trian")
    assert (ended.code, ended.out) == (2, "")
    assert "no pair with split ['trian']; there are ['train']" in ended.err
    ended = cli("evaluate", model, *named, "--train-split", "all")
    assert "photographs to test on are in the training data" in ended.err


def test_wrong_choices_are_refused_before_the_work(cli, model, sets):
    for flags, words in (
        (["--seed", -1], "-1 is not in the range x>=0"),
        (["--train-split", "train"], "--train-split is of --train-data, and none is given"),
        (["--degradations", "rain,snow"], "no pair with degradation ['snow']"),
    ):
        ended = cli("evaluate", model, "--data", sets[0], *FAST, *flags)
        assert (ended.code, ended.out) == (2, "")
        assert words in ended.err
        assert "pairs" not in ended.err.replace("no pair", "")


def test_naming_training_data_does_not_hide_those_of_the_record(cli, sets, tmp_path):
    first, second = sets
    write_record(tmp_path, first)
    ended = cli("evaluate", tmp_path, "--data", first, "--train-data", second, *FAST)
    assert ended.code == 2
    assert "photographs to test on are in the training data" in ended.err


def test_restored_pictures_know_what_their_model_was_trained_on(cli, sets, tmp_path):
    first, second = sets
    write_record(tmp_path / "model", first)
    restored = tmp_path / "restored"
    for root in sets:
        assert cli("restore", tmp_path / "model", root, restored / root.name).code == 0
    ended = cli("evaluate", restored, "--data", first, "--data", second, *FAST)
    assert ended.code == 2
    assert "photographs to test on are in the training data" in ended.err
    ended = cli("evaluate", restored, "--data", second, *FAST)
    assert ended.code == 0
    assert ended.out.count(f"No photograph is in the training data ({first}), by content.") == 1
    # A record that tells nothing restores all the same, and says so where it matters.
    (tmp_path / "model" / RECORD).write_text("{}")
    assert cli("restore", tmp_path / "model", second, tmp_path / "again").code == 0
    ended = cli("evaluate", tmp_path / "again", "--data", second, *FAST)
    assert "NOT checked whether photographs were trained on" in ended.out


def test_metrics_that_cannot_be_had_are_named_everywhere(cli, model, sets, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyiqa", None)
    monkeypatch.setitem(sys.modules, "lpips", None)
    out = tmp_path / "out"
    ended = cli(
        "evaluate", model, "--data", sets[0], "--limit", 2, "--resamples", 100, "--out", out
    )
    assert ended.code == 0, ended.err
    for name in ("LPIPS", "DISTS", "FID", "NIQE", "MUSIQ", "CLIPIQA"):
        assert f"{name} is missing: needs" in ended.out
        assert f"{name} is missing" in (out / "tables.tex").read_text()
    assert "| PSNR ↑ | SSIM ↑ |\n" in ended.out
    missing = json.loads((out / "evaluation.json").read_text())["missing"]
    assert set(missing) == {"lpips", "dists", "fid", "niqe", "musiq", "clipiqa"}
    ended = cli("evaluate", model, "--data", sets[0], "--metrics", "lpips,fid")
    assert ended.code == 2
    assert "no metric can be computed: lpips: needs" in ended.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--metrics", ""], "none was asked for"),
        (["--severities", "0,x"], "'0,x' is not numbers"),
        (["--severities", "0,0.5"], "must rise from 0 to 1"),
        (["--degradations", "fog"], "no pair with degradation ['fog']; there are"),
        (["--split", "dev"], "no pair with split"),
        (["--overlap", "500"], "half of the tile"),
        (["--device", "quantum"], "no device 'quantum' here"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_said_before_anything_is_computed(cli, model, sets, arguments, words):
    ended = cli("evaluate", model, "--data", sets[0], *FAST, *arguments)
    assert ended.code == 2
    assert words in " ".join(ended.err.split())


def test_an_evaluation_takes_nothing_away_that_is_not_its_own(cli, model, sets, tmp_path):
    out, figures = tmp_path / "out", tmp_path / "figures"
    figures.mkdir()
    (figures / "mine.png").write_text("precious")
    data = ("evaluate", model, "--data", sets[0], *FAST, "--limit", 4, "--out", out)
    (out / "plots").mkdir(parents=True)
    (out / "plots" / "mine.svg").write_text("kept")
    (out / "plots" / "first-psnr.png").symlink_to(figures / "mine.png")
    (out / "tables.md").write_text("of a paper")
    ended = cli(*data)
    assert ended.code == 2
    assert "tables.md is there, and no evaluation.json says" in ended.err
    assert (out / "tables.md").read_text() == "of a paper"
    for _ in range(2):
        assert cli(*data, "--overwrite").code == 0
    assert (out / "plots" / "mine.svg").read_text() == "kept"
    assert (figures / "mine.png").read_text() == "precious"
    shutil.rmtree(out / "plots")
    (out / "plots").symlink_to(figures)
    ended = cli(*data, "--overwrite")
    assert ended.code == 2
    assert "plots is a link: nothing is replaced behind one" in ended.err
    assert [path.name for path in figures.iterdir()] == ["mine.png"]
