import subprocess
import sys

import numpy as np
from PIL import Image

from gends.histograms.fit import fit
from gends.histograms.plot import plot


def test_every_degradation_gets_two_pictures(tmp_path):
    rng = np.random.default_rng(0)
    profile = fit(
        ("low_light", "AB"[i % 2], mu, mu / 2) for i, mu in enumerate(rng.uniform(0.05, 0.3, 400))
    )
    paths = plot(profile, tmp_path / "new" / "folder")
    assert [path.name for path in paths] == ["low_light-joint.png", "low_light-mu.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert len(np.unique(np.asarray(picture.convert("L")))) > 20


def test_a_single_pair_can_be_plotted(tmp_path):
    assert len(plot(fit([("haze", "A", 0.1, 0.05)]), tmp_path)) == 2


def test_matplotlib_is_loaded_only_to_plot():
    code = (
        "import sys, gends.histograms, gends.histograms.plot, gends.histograms.gendeg_json;"
        "sys.exit('matplotlib' in sys.modules or 'torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
