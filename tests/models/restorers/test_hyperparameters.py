import math
import subprocess
import sys

import pytest

from gends.models.restorers.hyperparameters import HYPERPARAMETERS, find_hyperparameters
from gends.models.training.objectives.losses import LOSSES


@pytest.mark.parametrize("names", HYPERPARAMETERS, ids=" ".join)
def test_hyperparameters_are_whole(names):
    chosen = find_hyperparameters(*names)
    assert chosen.loss in LOSSES
    assert chosen.source
    assert chosen.final_rate < chosen.rate
    assert chosen.crop % 32 == 0
    for steps in (10, 600, chosen.steps):
        schedule = chosen.schedule(steps)
        factors = [schedule.factor(step, steps) for step in range(0, steps, max(1, steps // 50))]
        assert min(factors) > 0
        assert max(factors) <= 1


@pytest.mark.parametrize("step", [0, 50_000, 123_456, 199_999])
def test_nafnets_rate_is_the_published_cosine(step):
    chosen = find_hyperparameters("nafnet", "w32")
    published = 1e-7 + (1e-3 - 1e-7) * (1 + math.cos(math.pi * step / 200_000)) / 2
    found = chosen.rate * chosen.schedule(chosen.steps).factor(step, chosen.steps)
    assert found == pytest.approx(published)


@pytest.mark.parametrize("epoch", [15, 40, 75, 119])
def test_promptirs_rate_is_the_published_cosine(epoch):
    chosen = find_hyperparameters("promptir", "published")
    published = 2e-4 * (1 + math.cos(math.pi * (epoch - 15) / (150 - 15))) / 2
    step = epoch * chosen.steps // 120
    found = chosen.rate * chosen.schedule(chosen.steps).factor(step, chosen.steps)
    assert found == pytest.approx(published, rel=1e-3)


def test_promptirs_steps_follow_from_its_lists():
    """Noise at three levels ×3, rain ×120, haze once (va1shn9v/PromptIR, dataset_utils.py)."""
    samples = 5144 * 3 * 3 + 200 * 120 + 72135
    assert find_hyperparameters("promptir", "published").steps == 120 * (
        math.ceil(samples / 4) // 8
    )


def test_goPro_differs_from_sidd_where_published():
    sidd, gopro = find_hyperparameters("nafnet", "w32"), find_hyperparameters("nafnet", "w32-gopro")
    assert (sidd.weight_decay, sidd.flips, sidd.rotations) == (0.0, False, False)
    assert (gopro.weight_decay, gopro.flips, gopro.rotations) == (1e-3, True, True)


def test_an_unknown_name_says_what_may_be_given():
    with pytest.raises(ValueError, match="nafnet w32"):
        find_hyperparameters("nafnet", "huge")


def test_hyperparameters_need_no_torch():
    code = "import sys, gends.models.restorers.hyperparameters; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
