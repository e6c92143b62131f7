from __future__ import annotations

import pytest
from click.testing import CliRunner
from PIL import Image as Pillow

from gends.histograms.bins import MU_BINS, SIGMA_BINS, Bins
from gends.histograms.profile import load_profile
from gends.jobs.commands.histograms import command


def fit(pairs, out, *arguments: object):
    return CliRunner().invoke(command, ["fit", str(pairs), "--out", str(out), *map(str, arguments)])


@pytest.fixture
def pairs(tmp_path):
    for part, level in (("gt", 60), ("lq", 110)):
        folder = tmp_path / "pairs" / "Haze" / "Fog & Sons" / part
        folder.mkdir(parents=True)
        Pillow.new("RGB", (8, 8), (level,) * 3).save(folder / "a.png")
    return tmp_path / "pairs"


def test_bins_and_ranges_are_settings(pairs, tmp_path):
    out = tmp_path / "p.json"
    ended = fit(
        *(pairs, out, "--mu-bins", 10, "--mu-range", 0, 0.5),
        *("--sigma-bins", 4, "--sigma-range", 0, 0.2),
    )
    assert ended.exit_code == 0, ended.output
    profile = load_profile(out)
    assert profile.mu_bins == Bins(10, 0, 0.5)
    assert profile.sigma_bins == Bins(4, 0, 0.2)
    mu = profile.degradations["haze"].datasets["Fog & Sons"].mu
    assert mu.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]  # (110 - 60) / 255 is in the fourth


def test_bins_are_the_publications_unless_said(pairs, tmp_path):
    assert fit(pairs, tmp_path / "p.json").exit_code == 0
    profile = load_profile(tmp_path / "p.json")
    assert (profile.mu_bins, profile.sigma_bins) == (MU_BINS, SIGMA_BINS)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--mu-bins", 0], "x>=1"),
        (["--mu-range", 0.5, 0.1], "0 <= low < high, got low=0.5, high=0.1"),
        (["--sigma-range", 0.3], "requires 2 arguments"),
    ],
)
def test_bins_that_are_none_are_refused(pairs, tmp_path, arguments, says):
    ended = fit(pairs, tmp_path / "p.json", *arguments)
    assert ended.exit_code != 0
    assert says in ended.output + str(ended.exception)
    assert not (tmp_path / "p.json").exists()


def test_what_cannot_be_measured_is_named_and_left_out(pairs, tmp_path):
    good = pairs / "Haze" / "Fog & Sons"
    (good / "gt" / "alone.png").write_bytes((good / "gt" / "a.png").read_bytes())
    (good / "gt" / "words.png").write_bytes((good / "gt" / "a.png").read_bytes())
    (good / "lq" / "words.png").write_text("no image")
    for folder in ("gt", "lq"):
        (pairs / "Rain" / "Empty" / folder).mkdir(parents=True)
    (pairs / "Rain" / "Half" / "lq").mkdir(parents=True)
    ended = fit(pairs, tmp_path / "p.json")
    assert ended.exit_code == 0, ended.output
    for words in (
        "alone.png has no partner",
        "words.png is no readable image",
        "Empty holds no images",
        "gt is missing",
        "left out: 4 pairs or datasets",
    ):
        assert words in ended.stderr
    assert list(load_profile(tmp_path / "p.json").degradations) == ["haze"]
    (good / "lq" / "a.png").unlink()
    ended = fit(pairs, tmp_path / "none.json")
    assert "no pairs to fit" in str(ended.exception)
    assert not (tmp_path / "none.json").exists()


def test_a_dataset_of_gends_is_fitted_from_its_manifests(finished, tmp_path):
    root = finished.store.root
    assert fit(root, tmp_path / "p.json", "--mu-bins", 64).exit_code == 0
    profile = load_profile(tmp_path / "p.json")
    assert set(profile.degradations) == set(finished.config.degradations)

    ended = fit(
        *(root, tmp_path / "q.json", "--as-stored"), *("--dataset", "X", "--degradation", "haze")
    )
    assert ended.exit_code == 2
    assert "is a dataset of gends" in ended.output
    assert "leave out --degradation, --dataset, --as-stored" in " ".join(ended.output.split())
    assert not (tmp_path / "q.json").exists()


def test_a_weight_of_no_dataset_is_refused_before_pairs_are_measured(pairs, tmp_path):
    (pairs / "Haze" / "Fog & Sons" / "gt" / "a.png").write_bytes(b"never read")
    ended = fit(pairs, tmp_path / "p.json", "--weight", "RESIDE=2")
    assert str(ended.exception) == "weights name RESIDE, but the pairs come from Fog & Sons"
    assert "left out" not in ended.output


def test_some_datasets_of_a_profile_are_a_profile(tmp_path):
    out = tmp_path / "narrow.json"
    arguments = ["select", "reference", "--dataset", "haze/RESIDE", "--out", str(out)]
    ended = CliRunner().invoke(command, arguments)
    assert ended.exit_code == 0, ended.output
    assert [(row.degradation, row.dataset) for row in load_profile(out).summary()] == [
        ("haze", "RESIDE")
    ]
