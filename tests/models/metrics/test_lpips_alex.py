from __future__ import annotations

import os
from pathlib import Path

import lpips
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from gends.models.metrics.lpips_alex import open_lpips
from gends.models.metrics.metric import MissingMetricError

BESIDE = Path(__file__).parents[4] / "shared/data/weights/alexnet_features.safetensors"
TRUE_WEIGHTS = Path(os.environ.get("GENDS_LPIPS_WEIGHTS", BESIDE))
"""ImageNet weights, which are no part of the project."""
HEADS = Path(lpips.__file__).parent / "weights/v0.1/alex.pth"
LAYERS = {
    # number: (output channels, input channels, kernel, stride, padding), as torchvision builds it
    0: (64, 3, 11, 4, 2),
    3: (192, 64, 5, 1, 2),
    6: (384, 192, 3, 1, 1),
    8: (256, 384, 3, 1, 1),
    10: (256, 256, 3, 1, 1),
}


@pytest.fixture(scope="module")
def random_weights(tmp_path_factory):
    """A file of AlexNet's layout whose features are random projections."""
    torch.manual_seed(0)
    state = {}
    for number, (out, channels, kernel, _, _) in LAYERS.items():
        deviation = (2 / (channels * kernel**2)) ** 0.5
        state[f"features.{number}.weight"] = torch.randn(out, channels, kernel, kernel) * deviation
        state[f"features.{number}.bias"] = torch.randn(out) * 0.1
    file = tmp_path_factory.mktemp("alexnet") / "random.safetensors"
    save_file(state, file)
    return file


@pytest.fixture(params=["random", "true"])
def weights(request, random_weights):
    if request.param == "random":
        return random_weights
    if not TRUE_WEIGHTS.exists():
        pytest.skip(f"no ImageNet weights at {TRUE_WEIGHTS}: name a file by GENDS_LPIPS_WEIGHTS")
    return TRUE_WEIGHTS


def by_the_paper(weights, linear, one, other):
    """Equation 1: weighted squared differences of unit features, means over places, sum over
    layers; pictures in [-1, 1] shifted and scaled first, as the authors' code does."""
    state = load_file(weights)
    shift = torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1)
    scale = torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1)
    x = (torch.cat([one, other]) * 2 - 1 - shift) / scale
    total = 0.0
    for index, (number, (*_, stride, padding)) in enumerate(LAYERS.items()):
        if number in (3, 6):
            x = F.max_pool2d(x, 3, 2)
        weight, bias = (state[f"features.{number}.{part}"] for part in ("weight", "bias"))
        x = F.conv2d(x, weight, bias, stride, padding).relu()
        unit = F.normalize(x, eps=1e-10)
        weighted = (unit[0] - unit[1]) ** 2 * linear[f"lin{index}.model.1.weight"].detach().view(
            -1, 1, 1
        )
        total += float(weighted.sum(0).mean())
    return total


@pytest.mark.filterwarnings("ignore::UserWarning:torchvision")
def test_agrees_with_the_paper_and_with_pyiqa(weights, clean, worse, tensor, monkeypatch):
    linear = torch.load(HEADS, map_location="cpu", weights_only=True)
    metric, peer = open_lpips(weights), with_pyiqa(monkeypatch, weights)
    for name in ("noisy", "blurred", "dark"):
        ours = metric.score(tensor(worse[name]), tensor(clean))
        assert ours > 0.01
        assert ours == pytest.approx(
            by_the_paper(weights, linear, tensor(worse[name]), tensor(clean)), rel=1e-4
        )
        theirs = peer(tensor(worse[name]), tensor(clean))
        assert ours == pytest.approx(float(theirs.detach()), rel=1e-4)
    assert metric.score(tensor(worse["same"]), tensor(clean)) == 0


def with_pyiqa(monkeypatch, weights):
    """pyiqa's own LPIPS with the same weights; it knows no way to them but the hub."""
    arch = pytest.importorskip("pyiqa.archs.lpips_arch")
    build = arch.models.alexnet
    monkeypatch.setattr(arch.models, "alexnet", lambda weights: build(weights=None))
    network = arch.LPIPS(net="alex", pretrained_model_path=str(HEADS))
    monkeypatch.undo()
    slices = [module for module in network.net.children() if len(module)]
    convolutions = {name: layer for part in slices for name, layer in part.named_children()}
    for name, values in load_file(weights).items():
        _, number, part = name.split(".")
        getattr(convolutions[number], part).data = values
    return network


def test_a_hub_out_of_reach_is_a_missing_metric_that_says_how_to_give_the_weights(
    monkeypatch, tmp_path
):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    # A port that nobody listens on stands for a hub that cannot be reached.
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    with pytest.raises(
        MissingMetricError, match=r"out of reach .* give them: --lpips-weights FILE"
    ):
        open_lpips()


def test_another_file_is_refused_with_what_it_lacks(tmp_path, random_weights):
    state = load_file(random_weights)
    file = tmp_path / "other.safetensors"
    save_file({**state, "features.8.weight": torch.zeros(1)}, file)
    with pytest.raises(
        ValueError, match=r"features\.8\.weight is of shape \(1,\), must be \(256, 3"
    ):
        open_lpips(file)
    file.write_text("no")
    with pytest.raises(ValueError, match=r"other\.safetensors: no readable safetensors file"):
        open_lpips(file)
    with pytest.raises(ValueError, match=r"gone: no readable"):
        open_lpips(tmp_path / "gone")
