from __future__ import annotations

from dataclasses import replace

from gends import PairDataset
from gends.histograms.profile import Profile
from gends.jobs.training.calibration import calibrate
from gends.models.degradations import DEGRADATIONS
from gends.models.gendeg.model import GenDeg


def test_a_curve_is_of_what_the_model_paints_whatever_it_is_laid_over(finished):
    shipped = GenDeg.from_pretrained("gendeg-mini")
    quick = replace(shipped, sampling=replace(shipped.sampling, steps=2))
    pairs, draws = PairDataset(finished.store.root), {"samples": 2, "seed": 0}
    found = [
        dict(calibrate(model, pairs, Profile.reference(), **draws))
        for model in (
            quick,
            replace(quick, structure=dict.fromkeys(DEGRADATIONS, "photograph")),
            replace(quick, structure={}),
        )
    ]
    assert found[0].keys() == DEGRADATIONS.keys()
    assert found[0] == found[1] == found[2]
