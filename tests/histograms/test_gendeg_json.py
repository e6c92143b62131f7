import json

import numpy as np
import pytest

from gends.histograms.bins import MU_BINS, SIGMA_BINS
from gends.histograms.fit import fit
from gends.histograms.gendeg_json import read_published

HAZE = {"RESIDE": (0.10, 0.05), "Dense-Haze": (0.22, 0.15)}


def pairs(mu, sigma, number=300, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(mu, 0.02, number).clip(0), rng.normal(sigma, 0.01, number).clip(0)


def marginal(values, bins, axis, dataset):
    counts = np.histogram(values, bins.edges)[0]
    return [
        {
            f"{axis} min": low,
            f"{axis} max": high,
            "Count": int(count),
            "Dataset": dataset,
        }
        for low, high, count in zip(bins.edges[:-1], bins.edges[1:], counts, strict=True)
    ]


def joint(mu, sigma, dataset):
    counts = np.histogram2d(mu, sigma, (MU_BINS.edges, SIGMA_BINS.edges))[0]
    edges = SIGMA_BINS.edges
    return [
        {
            "Mu range": f"{low:.3f} - {high:.3f}",
            "Count": [
                {"Sigma min": edges[i], "Sigma max": edges[i + 1], "Count": int(n)}
                for i, n in enumerate(row)
            ],
            "Dataset": dataset,
        }
        for low, high, row in zip(MU_BINS.edges[:-1], MU_BINS.edges[1:], counts, strict=True)
    ]


def write(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))


def publish(folder, datasets):
    """The layout of the publication; file names say nothing, on purpose."""
    data = {name: pairs(*centre, seed=i) for i, (name, centre) in enumerate(datasets.items())}
    pooled = [np.concatenate(axis) for axis in zip(*data.values(), strict=True)]
    for i, (name, (mu, sigma)) in enumerate(data.items()):
        write(folder / "a" / f"{i}.json", marginal(mu, MU_BINS, "Mu", name))
        write(folder / "b" / f"mu_{i}.json", marginal(sigma, SIGMA_BINS, "Sigma", name))
        write(folder / f"{i}.json", joint(*pooled, name))
    return data


@pytest.fixture
def tree(tmp_path):
    publish(tmp_path / "Haze", HAZE)
    publish(tmp_path / "low-light", {"SID": (0.2, 0.1), "LOLv2": (0.19, 0.1)})
    write(tmp_path / "Haze" / "notes.json", {"unrelated": True})
    (tmp_path / "pictures").mkdir()
    return tmp_path


def test_an_import_is_what_fitting_the_pairs_would_give(tree):
    got = read_published(tree).degradations["haze"]
    data = {name: pairs(*centre, seed=i) for i, (name, centre) in enumerate(HAZE.items())}
    rows = [("haze", name, *row) for name, pair in data.items() for row in zip(*pair, strict=True)]
    wanted = fit(rows).degradations["haze"]
    np.testing.assert_array_equal(got.sigma_given_mu, wanted.sigma_given_mu)
    for name, histogram in wanted.datasets.items():
        np.testing.assert_array_equal(got.datasets[name].mu, histogram.mu)
        np.testing.assert_array_equal(got.datasets[name].sigma, histogram.sigma)


def test_weights_are_the_papers_unless_given(tree):
    def weights(profile):
        return {row.dataset: row.weight for row in profile.summary()}

    paper = {"RESIDE": 1, "Dense-Haze": 0.05, "SID": 0.2, "LOLv2": 1}
    assert weights(read_published(tree)) == paper
    assert weights(read_published(tree, {"DenseHaze": 2, "LOLv2": 3})) == (
        paper | {"Dense-Haze": 2, "LOLv2": 3}
    )
    with pytest.raises(ValueError, match="REVIDE"):
        read_published(tree, {"REVIDE": 1})


def test_bins_are_read_from_the_files(tree):
    profile = read_published(tree)
    assert (profile.mu_bins, profile.sigma_bins) == (MU_BINS, SIGMA_BINS)
    assert list(profile.degradations) == ["haze", "low_light"]


def test_the_order_of_bins_and_the_type_of_numbers_do_not_matter(tree):
    before = read_published(tree).digest
    path = tree / "Haze" / "a" / "0.json"
    records = json.loads(path.read_text())[::-1]
    for record in records:
        record["Mu min"] = str(record["Mu min"])
    write(path, records)
    assert read_published(tree).digest == before


def shift(record):
    record["Mu min"], record["Mu max"] = record["Mu min"] + 0.002, record["Mu max"] + 0.002


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("0.json", lambda records: records[40]["Count"][20].update(Count=7), "pooled"),
        ("a/0.json", lambda records: shift(records[50]), "none of 128"),
        ("a/0.json", lambda records: records.pop(), "same bins"),
        ("a/0.json", lambda records: records[3].update(Count=-1), "not negative"),
        ("a/0.json", lambda records: records[0].update(Dataset="Dense-Haze"), "second Mu"),
        ("0.json", lambda records: records[3].update({"Mu range": "0.1 to"}), r"Haze.0\.json"),
        ("a/0.json", lambda records: records[3].pop("Count"), r"Haze.a.0\.json"),
    ],
)
def test_contradictions_are_refused(tree, name, change, message):
    path = tree / "Haze" / name
    records = json.loads(path.read_text())
    change(records)
    write(path, records)
    with pytest.raises(ValueError, match=message):
        read_published(tree)


def test_missing_and_foreign_files_are_named(tree, tmp_path):
    (tree / "Haze" / "b" / "mu_0.json").unlink()
    with pytest.raises(ValueError, match="Haze is not complete"):
        read_published(tree)
    (tree / "Haze" / "b" / "mu_0.json").write_text("{")
    with pytest.raises(ValueError, match=r"mu_0\.json is no JSON"):
        read_published(tree)
    with pytest.raises(ValueError, match="pictures holds no histograms"):
        read_published(tmp_path / "pictures")


def test_a_degradation_has_one_folder(tree):
    publish(tree / "hazy", {"O-HAZE": (0.2, 0.1)})
    with pytest.raises(ValueError, match="second folder of haze"):
        read_published(tree)
