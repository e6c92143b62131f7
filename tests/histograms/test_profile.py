import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends.histograms import Bins, Profile
from gends.histograms.tables import DatasetHistogram, SeverityTable

MU, SIGMA = Bins(count=10, low=0.0, high=1.0), Bins(count=8, low=0.0, high=0.4)


def counts(size, **by_bin):
    values = np.zeros(size)
    for key, count in by_bin.items():
        values[int(key[1:])] = count
    return values


def table():
    joint = np.zeros((10, 8))
    joint[2, 1] = 1000
    joint[4, [3, 5]] = 1000, 3000
    joint[8, 6] = 1000
    return SeverityTable(
        datasets={
            "low": DatasetHistogram(
                mu=counts(10, b2=3000, b4=1000), sigma=counts(8, b1=1, b5=1), weight=3
            ),
            "high": DatasetHistogram(mu=counts(10, b5=4000, b7=4000), sigma=counts(8, b6=1)),
        },
        sigma_given_mu=joint,
    )


def profile(**changes):
    return replace(Profile(degradations={"haze": table()}, mu_bins=MU, sigma_bins=SIGMA), **changes)


def draws(number=20_000, seed=0, **options):
    made, rng = profile(), np.random.default_rng(seed)
    return [made.draw("haze", rng, **options) for _ in range(number)]


def test_datasets_come_by_weight_and_mu_bins_by_count():
    drawn = draws(uniform_share=0)
    low = [draw for draw in drawn if draw.dataset == "low"]
    assert len(low) / len(drawn) == pytest.approx(0.75, abs=0.015)
    assert np.mean([draw.mu < 0.3 for draw in low]) == pytest.approx(0.75, abs=0.015)
    assert not any(draw.random_sampled for draw in drawn)


def test_sigma_follows_the_row_of_mu():
    for draw in draws(2000, uniform_share=0):
        row = MU.index(draw.mu)
        # Rows 5 and 7 are empty: their nearest neighbours stand in.
        assert SIGMA.index(draw.sigma) in {2: {1}, 4: {3, 4, 5}, 5: {3, 4, 5}, 7: {6}}[row]


def test_values_are_uniform_inside_their_bins():
    drawn = draws(uniform_share=0)
    for values, bins in (
        ([draw.mu for draw in drawn], MU),
        ([draw.sigma for draw in drawn], SIGMA),
    ):
        places = np.sort(np.array(values) / bins.width % 1.0)
        expected = (np.arange(len(places)) + 0.5) / len(places)
        assert np.abs(places - expected).max() < 1.95 / len(places) ** 0.5  # Kolmogorov, 0.1 %


def test_one_in_twenty_is_uniform_over_the_range_of_its_dataset():
    drawn = draws()
    flagged = [draw for draw in drawn if draw.random_sampled]
    assert len(flagged) / len(drawn) == pytest.approx(0.05, abs=0.006)
    low = [draw for draw in draws(uniform_share=1) if draw.dataset == "low"]
    assert all(draw.random_sampled for draw in low)
    for values, start, end in (
        ([draw.mu for draw in low], 0.2, 0.5),
        ([draw.sigma for draw in low], 0.05, 0.3),
    ):
        histogram = np.histogram(values, 10, (start, end))[0]
        assert histogram.sum() == len(low)
        assert histogram / len(low) == pytest.approx(0.1, abs=0.012)
    assert abs(np.corrcoef([(draw.mu, draw.sigma) for draw in low], rowvar=False)[0, 1]) < 0.03


@given(st.integers(0, 2**64 - 1))
def test_draws_depend_on_the_generator_alone(seed):
    assert draws(5, seed) == draws(5, seed)


def test_every_draw_consumes_the_same_randomness():
    made = profile()
    states = []
    for share in (0.0, 1.0):
        rng = np.random.default_rng(3)
        made.draw("haze", rng, share)
        states.append(rng.bit_generator.state)
    assert states[0] == states[1]


def test_the_order_of_datasets_does_not_matter():
    backwards = SeverityTable(
        datasets=dict(reversed(table().datasets.items())), sigma_given_mu=table().sigma_given_mu
    )
    other = profile(degradations={"haze": backwards})
    assert other.digest == profile().digest
    rng = np.random.default_rng(0)
    assert [other.draw("haze", rng) for _ in range(20)] == draws(20)


def test_a_profile_travels_between_processes():
    made = profile()
    made.draw("haze", np.random.default_rng(0))
    copy = pickle.loads(pickle.dumps(made))
    assert copy.digest == made.digest
    assert copy.draw("haze", np.random.default_rng(0)) == draws(1)[0]


def test_an_unknown_degradation_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"'fog'.*haze"):
        profile().draw("fog", np.random.default_rng(0))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(ValueError, match="uniform_share"):
        profile().draw("haze", np.random.default_rng(0), share)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"degradations": {}}, "at least one"),
        ({"degradations": {"Low-Light": table()}}, "lower-case"),
        ({"mu_bins": SIGMA}, "haze, sigma given mu: .*bins"),
        ({"sigma_bins": MU}, "bins"),
    ],
)
def test_impossible_profiles_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        profile(**changes)


def test_the_summary_has_a_row_per_dataset():
    high, low = profile().summary()
    assert (low.degradation, low.dataset, low.pairs, low.weight) == ("haze", "low", 4000, 3)
    assert (low.share, high.share) == (0.75, 0.25)
    assert (low.mu_p5, low.mu_p50, low.mu_p95) == pytest.approx(
        (0.2 + 0.1 * 0.05 / 0.75, 0.2 + 0.1 * 0.5 / 0.75, 0.5 - 0.1 * 0.05 / 0.25)
    )


def test_a_profile_of_some_datasets_draws_from_no_others():
    whole = Profile.reference()
    some = whole.only(["RESIDE", "rain/RainDS"])
    assert {name: list(t.datasets) for name, t in some.degradations.items()} == {
        "haze": ["RESIDE"],
        "rain": ["RainDS"],  # and not that of raindrops
    }
    rng = np.random.default_rng(0)
    assert {some.draw("haze", rng).dataset for _ in range(50)} == {"RESIDE"}
    assert some.digest != whole.digest


def test_an_unknown_dataset_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match=r"no dataset snow/RESIDE; there are haze/.*haze/RESIDE"):
        Profile.reference().only(["RESIDE", "snow/RESIDE"])
