import tracemalloc

import numpy as np
import pytest

from gends.histograms.fit import fit


def test_counts_are_numpys_histograms():
    rng = np.random.default_rng(0)
    mu, sigma = rng.uniform(0, 0.69, 500), rng.uniform(0, 0.39, 500)
    profile = fit(("rain", "AB"[i % 2], mu[i], sigma[i]) for i in range(500))
    table = profile.degradations["rain"]
    edges = profile.mu_bins.edges, profile.sigma_bins.edges
    np.testing.assert_array_equal(table.sigma_given_mu, np.histogram2d(mu, sigma, edges)[0])
    for name, part in (("A", slice(0, None, 2)), ("B", slice(1, None, 2))):
        histogram = table.datasets[name]
        np.testing.assert_array_equal(histogram.mu, np.histogram(mu[part], edges[0])[0])
        np.testing.assert_array_equal(histogram.sigma, np.histogram(sigma[part], edges[1])[0])


def test_one_dataset_may_show_several_degradations():
    profile = fit([("rain", "RainDS", 0.05, 0.05), ("raindrop", "RainDS", 0.02, 0.08)])
    assert [(row.degradation, row.dataset) for row in profile.summary()] == [
        ("rain", "RainDS"),
        ("raindrop", "RainDS"),
    ]


def test_severities_beyond_the_bins_count_in_the_last():
    table = fit([("haze", "A", 0.9, 0.45)]).degradations["haze"]
    assert table.sigma_given_mu[127, 127] == 1


def test_draws_come_from_what_was_fitted():
    rng = np.random.default_rng(0)
    mu = rng.normal(0.2, 0.03, 20_000)
    profile = fit(("haze", "A", m, m / 2) for m in mu)
    drawn = [profile.draw("haze", rng, 0) for _ in range(5000)]
    got = np.quantile([draw.mu for draw in drawn], [0.1, 0.5, 0.9])
    assert got == pytest.approx(np.quantile(mu, [0.1, 0.5, 0.9]), abs=profile.mu_bins.width)
    assert max(abs(draw.sigma - draw.mu / 2) for draw in drawn) < 3 * profile.sigma_bins.width


@pytest.mark.parametrize("number", [1_000, 30_000])
def test_memory_does_not_grow_with_the_pairs(number):
    rows = (("haze", "A", i % 100 / 150, i % 70 / 200) for i in range(number))
    tracemalloc.start()
    try:
        fit(rows)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2_000_000


def test_weights_belong_to_datasets_that_occur():
    rows = [("haze", "A", 0.1, 0.1), ("haze", "B", 0.1, 0.1)]
    assert fit(rows, weights={"B": 3}).degradations["haze"].shares == {"A": 0.25, "B": 0.75}
    with pytest.raises(ValueError, match=r"C.*A, B"):
        fit(rows, weights={"C": 1})


def test_nothing_to_fit_is_an_error():
    with pytest.raises(ValueError, match="no pairs"):
        fit([])


@pytest.mark.parametrize("pair", [(-0.1, 0.1), (0.1, float("nan"))])
def test_a_bad_row_is_named(pair):
    with pytest.raises(ValueError, match=r"RESIDE \(haze\)"):
        fit([("haze", "RESIDE", *pair)])
