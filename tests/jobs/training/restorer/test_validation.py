from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from torch import nn

from gends import PairDataset
from gends.jobs.training.restorer.validation import Validator, spread
from gends.models.training.ranks import ALONE, Ranks


@pytest.fixture
def pairs(finished):
    return PairDataset(finished.store.root, preset="tensor")


class Brighter(nn.Module):
    def forward(self, lq):
        return lq + 0.1


def test_figures_are_means_over_whole_pictures(pairs):
    seen = []
    validate = Validator(pairs, 20, ALONE, torch.device("cpu"), seen.append)
    validate(3, {"restorer": nn.Identity()})
    validate(4, {"restorer": Brighter()})
    same, brighter = seen
    assert same["step"] == 3
    assert same["psnr"] == same["psnr_lq"] == brighter["psnr_lq"]
    assert same["pairs"]["all"] == 20 == sum(same["pairs"].values()) // 2
    expected = {}
    for index in validate.chosen.tolist():
        item = pairs[index]
        error = float((item["lq"] - item["gt"]).double().square().mean())
        expected.setdefault(item["degradation"], []).append(-10 * np.log10(error))
    for name, values in expected.items():
        assert same["psnr"][name] == pytest.approx(np.mean(values), rel=1e-4)
    assert brighter["psnr"]["all"] != same["psnr"]["all"]


def test_ranks_share_the_pairs(pairs):
    taken = []

    class Noting(nn.Module):
        def forward(self, lq):
            taken[-1].append(lq)
            return lq

    class Apart(Ranks):
        def total(self, values):
            return values + 1  # as if others had added theirs

    for rank in range(3):
        taken.append([])
        ranks = Apart(rank=rank, count=3)
        Validator(pairs, 10, ranks, torch.device("cpu"), [].append)(1, {"restorer": Noting()})
    assert [len(part) for part in taken] == [4, 3, 3]


def test_the_chosen_are_spread_over_the_degradations():
    labels = np.array(["rain"] * 60 + ["haze"] * 30 + ["rain"] * 10)
    chosen = spread(labels, 20)
    assert Counter(labels[chosen].tolist()) == {"rain": 14, "haze": 6}
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert spread(labels, 1000).tolist() == list(range(100))
