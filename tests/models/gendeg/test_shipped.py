"""The weights that come with the package."""

from __future__ import annotations

from importlib.resources import as_file, files

import numpy as np
import pytest
from PIL import Image as Pillow
from skimage import data

from gends.histograms.severity import measure
from gends.models.degradations import DEGRADATIONS
from gends.models.degrader import Instruction
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.presets import GENDEG_MINI


def test_they_fit_their_budget():
    with as_file(files("gends.models") / "weights") as folder:
        sizes = [path.stat().st_size for path in folder.rglob("*") if path.is_file()]
    assert sum(sizes) <= 60e6
    assert sum(sizes) > 1e6  # the weights, not pointers to them


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_they_make_pairs_about_as_severe_as_asked():
    model = GenDeg.from_pretrained("gendeg-mini")
    assert model.scm is not None
    assert model.calibration.curves.keys() == DEGRADATIONS.keys()
    assert model.structure == GENDEG_MINI.structure
    clean = np.asarray(Pillow.fromarray(data.astronaut()).resize((64, 64)))
    wanted = 0.15
    instruction = Instruction(degradation="haze", mu=wanted, sigma=0.08, seed=1)
    [[pair]] = GenDegDegrader(model).degrade([clean], [[instruction]])
    assert pair.lq.shape == clean.shape
    assert wanted / 3 < measure(pair.lq, pair.gt).mu < wanted * 3
