"""The embedded profile against the published figures it was built from."""

import json
from importlib import resources

import numpy as np
import pytest

from gends.histograms import Profile, load_profile
from gends.histograms.build_reference import build, main
from gends.histograms.tables import DatasetHistogram, SeverityTable, span

PROFILE = load_profile("reference")
PUBLISHED = json.loads(
    (resources.files("gends.histograms") / "data" / "published_quantiles.json").read_text()
)
LEVELS = PUBLISHED["quantile_levels"]
DATASETS = [
    (degradation, dataset)
    for degradation, value in PUBLISHED["degradations"].items()
    for dataset in value["datasets"]
]
# Pooled mean of sigma at some mu, read from the publication's histograms apart from the quantiles.
MEANS = [
    ("haze", 0.014, 0.016),
    ("haze", 0.11, 0.073),
    ("haze", 0.276, 0.165),
    ("rain", 0.014, 0.025),
    ("rain", 0.11, 0.09),
    ("rain", 0.276, 0.143),
    ("snow", 0.014, 0.051),
    ("snow", 0.11, 0.097),
    ("motion_blur", 0.03, 0.046),
    ("raindrop", 0.03, 0.097),
]


def drawn(degradation, datasets, number):
    table = PROFILE.degradations[degradation]
    profile = Profile(
        degradations={
            degradation: SeverityTable(datasets=datasets, sigma_given_mu=table.sigma_given_mu)
        }
    )
    rng = np.random.default_rng(0)
    draws = [profile.draw(degradation, rng, 0) for _ in range(number)]
    return np.array([draw.mu for draw in draws]), np.array([draw.sigma for draw in draws])


def test_there_are_21_datasets_of_six_degradations():
    assert len(DATASETS) == len(PROFILE.summary()) == 21
    assert list(PROFILE.degradations) == [
        "haze", "low_light", "motion_blur", "rain", "raindrop", "snow",
    ]  # fmt: skip


@pytest.mark.parametrize(("degradation", "dataset"), DATASETS)
def test_draws_reproduce_the_mu_quantiles_within_a_bin(degradation, dataset):
    histogram = PROFILE.degradations[degradation].datasets[dataset]
    mu, _ = drawn(degradation, {dataset: histogram}, 20_000)
    wanted = PUBLISHED["degradations"][degradation]["datasets"][dataset]["mu_quantiles"]
    assert np.quantile(mu, LEVELS) == pytest.approx(wanted, abs=PROFILE.mu_bins.width)


@pytest.mark.parametrize(("degradation", "dataset"), DATASETS)
def test_pairs_weights_and_ranges_are_the_published_ones(degradation, dataset):
    histogram = PROFILE.degradations[degradation].datasets[dataset]
    published = PUBLISHED["degradations"][degradation]["datasets"][dataset]
    assert histogram.weight == published["weight"]
    for counts, bins, quantiles in (
        (histogram.mu, PROFILE.mu_bins, published["mu_quantiles"]),
        (histogram.sigma, PROFILE.sigma_bins, published["sigma_quantiles"]),
    ):
        assert counts.sum() == pytest.approx(published["pairs"], abs=0.01)
        first, end = span(counts)
        outer = bins.edges[first], bins.edges[end]
        assert outer == pytest.approx((quantiles[0], quantiles[-1]), abs=6e-5)


@pytest.mark.parametrize("degradation", PUBLISHED["degradations"])
def test_draws_reproduce_sigma_given_mu(degradation):
    # Over pairs, as published, rather than over datasets by weight.
    by_pairs = {
        name: DatasetHistogram(mu=histogram.mu, sigma=histogram.sigma, weight=histogram.pairs)
        for name, histogram in PROFILE.degradations[degradation].datasets.items()
    }
    mu, sigma = drawn(degradation, by_pairs, 80_000)
    bins = np.floor(mu / PROFILE.mu_bins.width)
    errors = []
    for item in PUBLISHED["degradations"][degradation]["sigma_given_mu"]:
        first, end = (round(edge / PROFILE.mu_bins.width) for edge in item["mu_range"])
        inside = sigma[(bins >= first) & (bins < end)]
        got = np.quantile(inside, LEVELS[1:-1])
        errors.append((got - item["sigma_quantiles"][1:-1]) / PROFILE.sigma_bins.width)
    # Measured: at most 1.2 bins, in the ranges of under 200 pairs; half of all within 0.1.
    assert np.abs(errors).max() < 1.5
    assert np.median(np.abs(errors)) < 0.5


@pytest.mark.parametrize(("degradation", "mu", "mean"), MEANS)
def test_sigma_follows_mu_inside_the_ranges_too(degradation, mu, mean):
    row = PROFILE.degradations[degradation].sigma_given_mu[PROFILE.mu_bins.index(mu)]
    assert np.average(PROFILE.sigma_bins.centers, weights=row) == pytest.approx(mean, abs=0.01)


@pytest.mark.parametrize("degradation", PUBLISHED["degradations"])
def test_rows_add_up_to_the_datasets(degradation):
    table = PROFILE.degradations[degradation]
    pooled = np.sum([histogram.mu for histogram in table.datasets.values()], axis=0)
    np.testing.assert_allclose(table.sigma_given_mu.sum(axis=1), pooled, atol=0.01)


def test_the_shipped_file_is_what_the_script_builds(tmp_path):
    built = build()
    assert built.source == PROFILE.source
    for name, table in built.degradations.items():
        shipped = PROFILE.degradations[name]
        # The last of four decimals may round differently elsewhere.
        np.testing.assert_allclose(table.sigma_given_mu, shipped.sigma_given_mu, atol=1.5e-4)
        for dataset, histogram in table.datasets.items():
            np.testing.assert_allclose(histogram.mu, shipped.datasets[dataset].mu, atol=1.5e-4)
    main([str(tmp_path / "again.json")])
    assert Profile.load(tmp_path / "again.json").digest == built.digest
