import json
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gends.histograms import Profile, load_profile
from gends.histograms.fit import fit
from gends.histograms.storage import digest

ROWS = [("haze", "A", 0.1, 0.05), ("haze", "A", 0.11, 0.07), ("fog_bank", "B", 0.3, 0.2)]


@pytest.fixture
def stored(tmp_path):
    path = tmp_path / "profile.json"
    fit(ROWS, weights={"A": 0.5}, source="three pairs").save(path)
    return path


def rewrite(path, change, sign=True):
    content = json.loads(path.read_text())
    change(content)
    if sign:
        content["digest"] = digest(content)
    path.write_text(json.dumps(content))


ROW = st.tuples(
    st.sampled_from(["haze", "rain"]),
    st.sampled_from(["A", "B b", "Ç/d"]),
    st.floats(0, 0.9),
    st.floats(0, 0.5),
)


@given(st.lists(ROW, min_size=1, max_size=30))
def test_a_profile_comes_back_as_it_was(tmp_path_factory, rows):
    path = tmp_path_factory.getbasetemp() / "round-trip.json"
    profile = fit(rows, source="µ")
    profile.save(path)
    copy = load_profile(path)
    assert copy.digest == profile.digest
    assert profile.encode() == path.read_bytes()
    assert copy.source == "µ"
    for name, table in profile.degradations.items():
        np.testing.assert_array_equal(copy.degradations[name].sigma_given_mu, table.sigma_given_mu)
    degradation = rows[0][0]
    one, other = np.random.default_rng(1), np.random.default_rng(1)
    assert copy.draw(degradation, one) == profile.draw(degradation, other)


def test_the_file_says_its_digest_and_version(stored):
    content = json.loads(stored.read_text())
    assert content["digest"] == Profile.load(stored).digest
    assert len(content["digest"]) == 64
    assert content["schema_version"] == 1


def test_the_digest_sees_a_single_pair_and_a_weight():
    digests = {
        fit(ROWS).digest,
        fit([*ROWS, ROWS[0]]).digest,
        fit(ROWS, weights={"A": 0.5}).digest,
    }
    assert len(digests) == 3


def test_layout_of_the_file_does_not_matter(stored):
    before = Profile.load(stored).digest
    stored.write_text(json.dumps(json.loads(stored.read_text()), indent=2, sort_keys=True))
    assert Profile.load(stored).digest == before


def test_a_changed_file_is_refused(stored):
    def reweight(content):
        content["degradations"]["haze"]["datasets"]["A"]["weight"] = 0.7

    rewrite(stored, reweight, sign=False)
    with pytest.raises(ValueError, match=r"profile\.json was changed"):
        Profile.load(stored)


def dataset(content):
    return content["degradations"]["haze"]["datasets"]["A"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: dataset(c)["mu"]["counts"].__setitem__(0, -1), "not negative"),
        (lambda c: dataset(c)["mu"].update(first=128), "do not fit into 128 bins"),
        (lambda c: dataset(c)["mu"].update(first=-1), "do not fit into 128 bins"),
        (lambda c: dataset(c).update(weight=-1), "weight"),
        (lambda c: dataset(c).pop("sigma"), "sigma"),
        (lambda c: c["mu_bins"].update(low=0.9), "low < high"),
        (lambda c: c["mu_bins"].update(count=3), "beyond the 3 mu bins"),
        (lambda c: c["mu_bins"].update(count="many"), "broken"),
        (lambda c: c["degradations"].clear(), "at least one"),
        (
            lambda c: c["degradations"]["haze"]["sigma_given_mu"].append(
                c["degradations"]["haze"]["sigma_given_mu"][0]
            ),
            "row .* twice",
        ),
        (lambda c: c.update(schema_version=2), "schema version 2"),
        (lambda c: c.update(format="other"), "is not a severity profile"),
    ],
)
def test_broken_content_is_refused_though_signed(stored, change, message):
    rewrite(stored, change)
    with pytest.raises(ValueError, match=message) as caught:
        Profile.load(stored)
    assert str(stored) in str(caught.value)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"format": NaN}', b"\xff\xfe"])
def test_other_files_are_refused(tmp_path, text):
    path = tmp_path / "other"
    path.write_bytes(text)
    with pytest.raises(ValueError, match="other is not a severity profile"):
        Profile.load(path)


def test_a_failed_save_leaves_the_old_file(stored, monkeypatch):
    before = stored.read_bytes()

    def full(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="no space"):
        fit(ROWS[:1]).save(stored)
    assert stored.read_bytes() == before
    assert list(stored.parent.iterdir()) == [stored]
