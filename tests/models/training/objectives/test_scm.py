import math

import pytest
import torch
from torch.nn import functional as F

from gends.models.degradations import DEGRADATIONS
from gends.models.scm import StructureCorrection
from gends.models.training.loop import train
from gends.models.training.objectives.scm import CORRECTED, CorrectionLoss, timestep_weights
from gends.models.training.randomness import torch_generator
from gends.models.training.schedule import Schedule
from gends.models.training.task import LoopSettings, Task

NAMES = list(DEGRADATIONS)


def alphas_of_stable_diffusion():
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, 0)


def test_weights_are_those_of_the_publication():
    weights = timestep_weights(alphas_of_stable_diffusion())
    assert weights[0] == pytest.approx(math.sqrt(0.00085))  # ᾱ(-1) = 1
    assert int(weights.argmax()) == pytest.approx(354, abs=1)
    assert float(weights.max()) == pytest.approx(0.501, abs=1e-3)
    assert float(weights[-1]) == pytest.approx(0.07, abs=5e-3)
    assert float(weights.mean()) == pytest.approx(0.32, abs=5e-3)


def make_loss(scm, estimate, seed=1):
    return CorrectionLoss(
        scm=scm,
        estimate=estimate,
        alphas_cumprod=alphas_of_stable_diffusion().float(),
        latent_channels=4,
        stride=8,
        seed=seed,
    )


def make_batch(step=0, count=4):
    generator = torch_generator(0, step, "images")
    clean = F.interpolate(torch.rand(count, 3, 8, 8, generator=generator), size=32) * 2 - 1
    names = [CORRECTED[i % len(CORRECTED)] for i in range(count)]
    return {
        "clean": clean,
        "lq": 0.6 * clean + 0.3,
        "degradation": torch.tensor([NAMES.index(name) for name in names]),
    }


def blurred(batch, timesteps, noise):
    """An estimate as a latent model gives one: the tone is right, the fine structure is not."""
    assert torch.is_grad_enabled() is False
    wobble = F.interpolate(noise[:, :3], size=batch["lq"].shape[-2:]) * 0.05
    return F.avg_pool2d(batch["lq"], 9, 1, 4, count_include_pad=False) + wobble


class Untouched(torch.nn.Module):
    def forward(self, clean, generated):
        return generated


def small_scm():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return StructureCorrection(
            width=8, encoder_blocks=(1, 1), middle_blocks=1, decoder_blocks=(1, 1)
        )


def test_the_loss_is_the_weighted_squared_error():
    drawn = {}

    def estimate(batch, timesteps, noise):
        drawn.update(timesteps=timesteps, noise=noise)
        return batch["lq"] + 0.1 * (1 + torch.arange(4).view(4, 1, 1, 1))

    loss, figures = make_loss(small_scm(), estimate)(3, make_batch())
    weights = timestep_weights(alphas_of_stable_diffusion())[drawn["timesteps"]]
    errors = (0.1 * (1 + torch.arange(4))) ** 2  # the untrained module changes nothing
    assert loss.item() == pytest.approx(float((weights * errors).mean()), rel=1e-5)
    assert float(figures["mse_before"]) == pytest.approx(float(errors.mean()), rel=1e-5)
    assert float(figures["mse_after"]) == pytest.approx(float(errors.mean()), rel=1e-5)
    assert drawn["noise"].shape == (4, 4, 4, 4)
    assert drawn["timesteps"].unique().numel() > 1


def test_every_step_draws_anew_and_the_same_again():
    seen = []

    def estimate(batch, timesteps, noise):
        seen.append((timesteps, noise))
        return batch["lq"]

    loss = make_loss(small_scm(), estimate)
    for step in (1, 2, 1):
        loss(step, make_batch())
    assert torch.equal(seen[0][1], seen[2][1])
    assert torch.equal(seen[0][0], seen[2][0])
    assert not torch.equal(seen[0][1], seen[1][1])


def test_timesteps_cover_the_schedule_evenly():
    seen = []

    def estimate(batch, timesteps, noise):
        seen.append(timesteps)
        return batch["lq"]

    loss = make_loss(Untouched(), estimate)
    for step in range(8):
        loss(step, make_batch(count=250))
    drawn = torch.cat(seen)
    assert drawn.min() >= 0
    assert drawn.max() <= 999
    quarters = torch.histc(drawn.float(), bins=4, min=0, max=1000)
    assert ((quarters > 430) & (quarters < 570)).all()


@pytest.mark.parametrize("name", [n for n in NAMES if not DEGRADATIONS[n].corrected])
def test_degradations_that_are_not_corrected_are_refused(name):
    batch = make_batch()
    batch["degradation"][2] = NAMES.index(name)
    with pytest.raises(ValueError, match=name):
        make_loss(small_scm(), blurred)(0, batch)


def test_trained_by_the_loop_it_restores_structure(tmp_path):
    scm = small_scm()
    task = Task(
        modules={"scm": scm},
        optimizer=torch.optim.AdamW(scm.parameters(), 4e-3),
        loss=make_loss(scm, blurred),
        batches=make_batch,
    )
    seen = []
    settings = LoopSettings(
        directory=tmp_path, steps=80, schedule=Schedule(warmup=5), report_every=20
    )
    train(task, settings, on_progress=seen.append)
    assert seen[-1].metrics["mse_after"] < 0.5 * seen[-1].metrics["mse_before"]
