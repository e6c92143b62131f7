from __future__ import annotations

from collections import Counter

import pytest

from gends.pipeline.evaluation.pairs import names_of, select_pairs


@pytest.fixture
def root(finished):
    return finished.store.root


def test_datasets_are_called_by_their_folders_and_by_their_paths_where_these_are_alike():
    assert names_of(["a/x/", "b/y"]) == {"x": "a/x/", "y": "b/y"}
    assert names_of(["a/x", "b/x", "s3://bucket/z"]) == {
        "a/x": "a/x",
        "b/x": "b/x",
        "z": "s3://bucket/z",
    }
    for other in ("a/x", "a/x/", "a/../a/x"):
        with pytest.raises(ValueError, match="named twice"):
            names_of(["a/x", other])


def test_a_path_that_ends_in_no_name_is_called_by_its_folder(tmp_path, monkeypatch):
    here = tmp_path / "set" / "deeper"
    here.mkdir(parents=True)
    monkeypatch.chdir(here)
    assert names_of([".", "../", "/"]) == {"deeper": ".", "set": "../", "/": "/"}
    assert names_of([".", "b/deeper"]) == {str(here): ".", "b/deeper": "b/deeper"}


def test_a_split_degradations_and_a_limit(root):
    rows = select_pairs(root)
    assert len(rows) == len(set(rows["key"].to_pylist())) > 30
    test = select_pairs(root, split="test", degradations=["rain", "snow"])
    assert set(test["split"].to_pylist()) == {"test"}
    assert set(test["degradation"].to_pylist()) == {"rain", "snow"}
    few = select_pairs(root, limit=3)
    assert set(Counter(few["degradation"].to_pylist()).values()) == {3}
    # Not all from the first photographs.
    assert len(set(few["source_id"].to_pylist())) > 3
    assert few["key"].to_pylist() == [
        k for k in rows["key"].to_pylist() if k in set(few["key"].to_pylist())
    ]


def test_nothing_to_evaluate_is_an_error(root):
    with pytest.raises(ValueError, match=r"no pair with split \['dev'\]; there are \['test', 'tr"):
        select_pairs(root, split="dev")
