from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from transformers import DepthAnythingConfig, DepthAnythingForDepthEstimation, Dinov2Config

from gends.models.degrader import Image, Instruction
from gends.models.parametric import OPERATIONS, ParametricDegrader, replay
from gends.models.parametric.depth.estimator import estimate
from gends.models.parametric.depth.model import DepthModel, depth_of_disparity
from gends.models.parametric.operation import Operation, Parameters, Renderer
from gends.models.pixels import Photo, Plane

HUB = "depth-anything/Depth-Anything-V2-Small-hf@" + "0123456789" * 4


def _save(folder: Path, seed: int, **settings: object) -> Path:
    backbone = Dinov2Config(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=70,
        patch_size=14,
        out_features=["stage1", "stage2", "stage3", "stage4"],
        reshape_hidden_states=False,
    )
    config = DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        neck_hidden_sizes=[8, 16, 32, 32],
        fusion_hidden_size=16,
        head_hidden_size=8,
        patch_size=14,
        **settings,
    )
    torch.manual_seed(seed)
    network = DepthAnythingForDepthEstimation(config)
    # Distances come of a sigmoid, which large weights would saturate.
    std = 0.15 if config.depth_estimation_type == "metric" else 0.3
    for name, weight in network.named_parameters():  # outputs far from 0, and different in places
        if name.startswith(("neck", "head")):
            torch.nn.init.normal_(weight, std=std) if weight.ndim > 1 else weight.data.fill_(0.3)
    network.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _save(tmp_path_factory.mktemp("depth"), 1)


@pytest.fixture(scope="module")
def model(folder: Path) -> DepthModel:
    return DepthModel(folder)


@pytest.fixture
def veiled(monkeypatch: pytest.MonkeyPatch) -> Operation:
    """Light that falls with depth; rows are far without an estimator."""

    def prepare(image: Photo, parameters: Parameters, seed: int, depth: Plane | None) -> Renderer:
        rows = np.linspace(0, 1, len(image), dtype=np.float32)[:, None]
        far = np.broadcast_to(rows, image.shape[:2]) if depth is None else depth

        def render(strength: float) -> Photo:
            return np.asarray(image + np.float32(strength) * far[..., None] * (1 - image))

        return render

    made = replace(
        OPERATIONS["haze"],
        name="veiled",
        parameters={},
        draw=lambda rng: {},
        prepare=prepare,
        needs_depth=True,
    )
    monkeypatch.setitem(OPERATIONS, "veiled", made)
    return made


@pytest.mark.parametrize("size", [(128, 128), (97, 151), (300, 128)])
def test_depth_has_a_value_for_each_pixel(model: DepthModel, photos: list[Image], size: tuple):
    depth = estimate(model, cv2.resize(photos[0], size[::-1]))
    assert depth.shape == size
    assert depth.min() == 0
    assert depth.max() == 1
    assert 0.02 < (depth == 0).mean() + (depth == 1).mean() < 0.2


@pytest.mark.parametrize(("kind", "sign"), [("relative", -1), ("metric", 1)])
def test_what_the_network_finds_near_is_near(
    kind: str, sign: int, tmp_path: Path, photos: list[Image]
):
    """The library's own class gives disparity, or distances, in the same order of pixels."""
    folder = _save(tmp_path, 1, depth_estimation_type=kind, max_depth=20)
    network = DepthAnythingForDepthEstimation.from_pretrained(folder).eval()
    image = photos[1]
    seen = cv2.resize(image / np.float32(255), (518, 518), interpolation=cv2.INTER_CUBIC)
    mean, std = np.float32([0.485, 0.456, 0.406]), np.float32([0.229, 0.224, 0.225])
    pixels = torch.from_numpy(((seen - mean) / std).transpose(2, 0, 1)[None])
    with torch.no_grad():
        output = network(pixel_values=pixels).predicted_depth[0].numpy()
    depth = DepthModel(folder)(image)
    order = (depth > 0) & (depth < 1)
    planes = (cv2.resize(output, (128, 128))[order], depth[order])
    ranks = [np.argsort(np.argsort(plane)) for plane in planes]
    assert sign * np.corrcoef(*ranks)[0, 1] > 0.99


def test_disparity_of_a_plane_becomes_its_depth():
    """Of a ground plane 1 high, seen level: disparity is linear in rows, distance its inverse."""
    distance = np.linspace(1, 6, 50, dtype=np.float32)[None]
    disparity = (1 / distance - 1 / 6) / (1 - 1 / 6)
    found = depth_of_disparity(disparity.astype(np.float32))
    np.testing.assert_allclose(found, (distance - 1) / 5, atol=1e-5)


def test_equal_photographs_get_equal_depth(folder: Path, photos: list[Image]):
    first = DepthModel(folder)(photos[0])
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        again = DepthModel(folder)
        again(photos[1])
        np.testing.assert_array_equal(again(photos[0]), first)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_steps_say_whose_depth_it_was_and_replay(
    model: DepthModel, folder: Path, tmp_path: Path, photos: list[Image], veiled: Operation
):
    wanted = [[Instruction(degradation="veiled", mu=0.1, seed=3)]]
    [[own]] = ParametricDegrader().degrade(photos[:1], wanted)
    [[pair]] = ParametricDegrader(depth=model).degrade(photos[:1], wanted)
    assert own.step["depth"] == "procedural"
    assert pair.step["depth"] == model.name
    assert (own.lq != pair.lq).any()
    step = json.loads(json.dumps(pair.step))
    np.testing.assert_array_equal(replay(step, photos[0], DepthModel(folder)), pair.lq)
    np.testing.assert_array_equal(replay(own.step, photos[0], model), own.lq)
    with pytest.raises(ValueError, match=r"estimated by blake3:.*no model: give the model"):
        replay(step, photos[0])
    with pytest.raises(ValueError, match=f"here by {HUB}"):
        replay(step, photos[0], DepthModel(HUB))
    other = DepthModel(_save(tmp_path / "other", 2))
    with pytest.raises(ValueError, match="give the model that made it"):
        replay(step, photos[0], other)


def test_other_operations_ask_for_no_depth(photos: list[Image]):
    """A hub model that nobody can reach is not asked for."""
    degrader = ParametricDegrader(depth=DepthModel(HUB))
    wanted = Instruction(degradation="low_light", mu=0.1, seed=3)
    [[pair]] = degrader.degrade(photos[:1], [[wanted]])
    assert "depth" not in pair.step


def test_depth_belongs_to_the_identity(model: DepthModel):
    assert ParametricDegrader().fingerprint()["depth"] == "procedural"
    fingerprint = ParametricDegrader(depth=model).fingerprint()
    assert fingerprint["depth"] == model.name
    assert fingerprint["depth.torch"] == torch.__version__
    assert ParametricDegrader(depth=DepthModel(HUB)).fingerprint()["depth"] == HUB


def test_what_is_no_model_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="40 hexadecimal digits"):
        DepthModel("depth-anything/Depth-Anything-V2-Small-hf")
    with pytest.raises(ValueError, match="no folder 'nowhere'"):
        DepthModel("nowhere")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="a model of type 'bert'"):
        DepthModel(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "depth_anything"}')
    with pytest.raises(ValueError, match=r"no weights|missing"):
        DepthModel(tmp_path)(np.zeros((64, 64, 3), np.uint8))


def test_what_is_no_depth_is_refused(photos: list[Image]):
    class Broken:
        name = "broken"

        def __init__(self, plane: np.ndarray) -> None:
            self.plane = plane

        def fingerprint(self) -> dict[str, str]:
            return {}

        def __call__(self, image: Image) -> np.ndarray:
            return self.plane

    with pytest.raises(ValueError, match="a value for each pixel"):
        estimate(Broken(np.zeros((64, 64), np.float32)), photos[0])
    for value in (1.5, np.nan):
        with pytest.raises(ValueError, match=r"it must lie in \[0, 1\]"):
            estimate(Broken(np.full((128, 128), value, np.float32)), photos[0])


def test_formulas_alone_load_no_torch():
    program = (
        "import sys; from gends.models.parametric import ParametricDegrader; "
        "from gends.models.parametric.depth.model import DepthModel; "
        "ParametricDegrader(depth=None).fingerprint(); "
        "sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
