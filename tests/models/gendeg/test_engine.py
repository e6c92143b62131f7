from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from gends.models.anchoring.anchor import VERSION, anchor
from gends.models.degradations import DEGRADATIONS, Structure
from gends.models.degrader import Degrader, Image, Instruction
from gends.models.gendeg.calibration import Calibration, Curve
from gends.models.gendeg.engine import GenDegDegrader
from gends.models.gendeg.model import GenDeg

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
NAMES = tuple(DEGRADATIONS)
PHOTOGRAPH: dict[str, Structure] = dict.fromkeys(NAMES, "photograph")


def photo(seed: int, height: int = 32, width: int = 40) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def order(name: str, seed: int = 0, mu: float = 0.1, caption: str | None = None) -> Instruction:
    return Instruction(degradation=name, mu=mu, sigma=0.05, seed=seed, caption=caption)


def test_every_degradation_is_paired_as_the_table_says(model: GenDeg):
    engine = GenDegDegrader(model, micro_batch=4)
    assert isinstance(engine, Degrader)
    cleans = [photo(0), photo(1)]
    results = engine.degrade(cleans, [[order(name, i) for i, name in enumerate(NAMES)], []])
    assert [len(group) for group in results] == [len(NAMES), 0]
    tensor = torch.from_numpy(cleans[0]).permute(2, 0, 1)[None].float() / 127.5 - 1
    decoded = model.reconstruct(model.condition(tensor))[0].permute(1, 2, 0)
    for name, result in zip(NAMES, results[0], strict=True):
        kind = DEGRADATIONS[name]
        assert result.lq.shape == cleans[0].shape
        assert result.lq.dtype == np.uint8
        assert (result.target_kind, result.scm_applied) == (kind.target_kind, kind.corrected)
        assert result.step == {}
        if kind.target_kind == "clean":
            np.testing.assert_array_equal(result.gt, cleans[0])
        else:
            difference = result.gt - ((decoded + 1) * 127.5).numpy()
            assert np.abs(difference).max() <= 0.501


def test_correction_reaches_only_the_degradations_that_want_it(model: GenDeg):
    instructions = [[order(name, seed=5) for name in NAMES]]
    with_scm = GenDegDegrader(model).degrade([photo(2)], instructions)[0]
    bare = replace(model, modules={**model.modules, "scm": None})
    without = GenDegDegrader(bare).degrade([photo(2)], instructions)[0]
    for name, corrected, raw in zip(NAMES, with_scm, without, strict=True):
        assert np.array_equal(corrected.lq, raw.lq) is not DEGRADATIONS[name].corrected
        assert not raw.scm_applied


@pytest.mark.parametrize("corrects", [True, False])
def test_anchored_pictures_are_what_is_painted_on_the_photograph(model: GenDeg, corrects: bool):
    scm = model.scm if corrects else None
    some = replace(model, modules={**model.modules, "scm": scm})
    clean, instructions = photo(2), [[order(name, seed=5) for name in NAMES]]
    plain, anchored = GenDegDegrader(some), GenDegDegrader(some, structure=PHOTOGRAPH)
    [painted], [results] = (e.degrade([clean], instructions) for e in (plain, anchored))
    reconstruction = painted[NAMES.index("rain")].gt
    for name, before, after in zip(NAMES, painted, results, strict=True):
        reference = clean if before.scm_applied else reconstruction
        np.testing.assert_array_equal(after.lq, anchor(name, clean, before.lq, reference, seed=5))
        np.testing.assert_array_equal(after.gt, clean)
        assert (after.target_kind, after.scm_applied) == ("clean", before.scm_applied)
    assert plain.fingerprint() != anchored.fingerprint()


def test_each_degradation_keeps_the_structure_that_the_model_or_the_caller_says(model: GenDeg):
    some = replace(model, structure={"haze": "photograph", "rain": "photograph"})
    engine = GenDegDegrader(some, structure={"rain": "model", "snow": "photograph"})
    clean, instructions = photo(2), [[order(name, seed=5) for name in NAMES]]
    [results] = engine.degrade([clean], instructions)
    for kept in ("model", "photograph"):
        [whole] = GenDegDegrader(some, structure=dict.fromkeys(NAMES, kept)).degrade(
            [clean], instructions
        )
        for name, pair, same in zip(NAMES, results, whole, strict=True):
            if (name in ("haze", "snow")) == (kept == "photograph"):
                np.testing.assert_array_equal(pair.lq, same.lq)
                np.testing.assert_array_equal(pair.gt, same.gt)
                assert pair.target_kind == same.target_kind


def test_the_fingerprint_tells_which_degradations_keep_the_photograph(model: GenDeg):
    def structure(**chosen: Structure) -> str | None:
        return GenDegDegrader(model, structure=chosen).fingerprint().get("structure")

    assert structure() is None
    assert structure(haze="model") is None
    assert structure(snow="photograph", haze="photograph", rain="model") == (
        f"photograph (haze, snow), version {VERSION}"
    )
    assert structure(**PHOTOGRAPH) == f"photograph, version {VERSION}"


def test_structures_that_are_none_are_refused(model: GenDeg):
    with pytest.raises(ValueError, match="unknown degradation 'fog'"):
        GenDegDegrader(model, structure={"fog": "photograph"})
    with pytest.raises(ValueError, match=r"haze: give model or photograph .got 'photo'"):
        GenDegDegrader(model, structure={"haze": "photo"})


def test_a_result_does_not_depend_on_its_neighbours(model: GenDeg):
    cleans = [photo(seed) for seed in range(3)]
    wanted = order("low_light", seed=2**64 - 1)
    others = [[order("rain", 1), order("snow", 2)], [wanted, order("raindrop", 3)], [order("haze")]]
    engine = GenDegDegrader(model, micro_batch=5)
    together = engine.degrade(cleans, others)[1][0]
    alone = engine.degrade([cleans[1]], [[wanted]])[0][0]
    assert np.abs(together.lq.astype(int) - alone.lq).max() <= 1
    np.testing.assert_array_equal(together.gt, alone.gt)


def test_equal_micro_batches_give_equal_bytes(model: GenDeg):
    engine = GenDegDegrader(model, micro_batch=2)
    first = [[order("rain", 1), order("snow", 2)]]
    more = [*first, [order("haze", 3)]]
    alone = engine.degrade([photo(0)], first)[0]
    followed = engine.degrade([photo(0), photo(1)], more)[0]
    for a, b in zip(alone, followed, strict=True):
        np.testing.assert_array_equal(a.lq, b.lq)
        np.testing.assert_array_equal(a.gt, b.gt)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (9, 15), (8, 1), (1, 1)])
def test_any_size_is_kept(model: GenDeg, size: tuple[int, int]):
    clean = photo(0, *size)
    (result,) = GenDegDegrader(model).degrade([clean], [[order("rain")]])[0]
    assert result.lq.shape == result.gt.shape == clean.shape


def test_each_clean_image_is_encoded_once(model: GenDeg):
    counts: list[int] = []
    layer = getattr(model.autoencoder, "encoder", None) or model.autoencoder.analysis
    handle = layer.register_forward_hook(lambda _, args, __: counts.append(len(args[0])))
    GenDegDegrader(model, micro_batch=3).degrade(
        [photo(0), photo(1)], [[order(name, i) for i, name in enumerate(NAMES)]] * 2
    )
    handle.remove()
    assert sum(counts) == 2


def test_a_redraw_encodes_nothing_again_and_changes_no_byte(model: GenDeg):
    cleans = [photo(0), photo(1)]
    first = [[order("rain", 1), order("haze", 2)], [order("snow", 3)]]
    redraw = [[order("rain", 4)], [order("snow", 5)]]
    encoded: list[int] = []
    decoded: list[int] = []
    autoencoder = model.autoencoder
    encoder = getattr(autoencoder, "encoder", None) or autoencoder.analysis
    handles = [
        part.register_forward_hook(lambda _, args, __, rows=rows: rows.append(len(args[0])))
        for part, rows in ((encoder, encoded), (autoencoder.decoder, decoded))
    ]
    engine = GenDegDegrader(model)
    engine.degrade(cleans, first)
    found = engine.degrade([image.copy() for image in cleans], redraw)
    for handle in handles:
        handle.remove()
    # beside five generated images, each clean one is decoded once
    assert (sum(encoded), sum(decoded)) == (2, 5 + 2)
    fresh = GenDegDegrader(model).degrade(cleans, redraw)
    for (again,), (alone,) in zip(found, fresh, strict=True):
        np.testing.assert_array_equal(again.lq, alone.lq)
        np.testing.assert_array_equal(again.gt, alone.gt)


def test_images_of_equal_bytes_and_other_shapes_are_told_apart(tiny_mini: GenDeg):
    engine = GenDegDegrader(tiny_mini)
    wide = photo(0, 16, 32)
    for clean in (wide, wide.reshape(32, 16, 3)):
        (result,) = engine.degrade([clean], [[order("rain")]])[0]
        assert result.gt.shape == clean.shape


def test_what_is_asked_reaches_the_result(model: GenDeg):
    engine = GenDegDegrader(model)
    variants = [order("haze"), order("haze", mu=0.6), order("haze", seed=1), order("snow")]
    results = engine.degrade([photo(0)], [[*variants, order("haze", caption="a street")]])[0]
    images = [result.lq.tobytes() for result in results]
    assert len(set(images[:4])) == 4
    assert (images[4] != images[0]) is model.captions


def test_calibration_changes_what_the_model_is_asked_for(tiny_mini: GenDeg):
    (plain,) = GenDegDegrader(tiny_mini).degrade([photo(0)], [[order("haze", mu=0.2)]])[0]
    curves = {"haze": Curve(asked=(0.1,), produced=(0.2,))}
    model = replace(tiny_mini, calibration=Calibration(curves))
    results = GenDegDegrader(model).degrade(
        [photo(0)], [[order("haze", mu=0.4), order("rain", mu=0.2)]]
    )[0]
    assert np.abs(results[0].lq.astype(int) - plain.lq).max() <= 1


def test_wrong_input_is_refused(tiny_mini: GenDeg):
    engine = GenDegDegrader(tiny_mini)
    with pytest.raises(ValueError, match="2 images and 1 lists"):
        engine.degrade([photo(0), photo(1)], [[]])
    with pytest.raises(ValueError, match="one size"):
        engine.degrade([photo(0), photo(1, 8, 8)], [[], []])
    with pytest.raises(ValueError, match="uint8"):
        engine.degrade([photo(0).astype(np.float32)], [[order("haze")]])
    with pytest.raises(ValueError, match="unknown degradation"):
        engine.degrade([photo(0)], [[order("fog")]])
    with pytest.raises(ValueError, match="micro_batch"):
        GenDegDegrader(tiny_mini, micro_batch=0)
    assert engine.degrade([], []) == []
    assert engine.degrade([photo(0)], [[]]) == [[]]


def test_fingerprint_tells_models_and_settings_apart(tiny_mini: GenDeg, tmp_path: Path):
    engine = GenDegDegrader(tiny_mini)
    print_ = engine.fingerprint()
    tiny_mini.save_pretrained(tmp_path)
    loaded = GenDeg.from_pretrained(tmp_path)
    assert GenDegDegrader(loaded).fingerprint() == print_
    assert {"model/unet", "model/vae", "model/conditioner", "torch", "steps"} <= print_.keys()
    more_steps = replace(tiny_mini.sampling, steps=9)
    other = GenDegDegrader(loaded, sampling=more_steps).fingerprint()
    assert {key for key in other if other[key] != print_[key]} == {"steps"}
    with torch.no_grad():
        loaded.unet.conv_in.bias.add_(1)
    loaded.save_pretrained(tmp_path)
    changed = GenDegDegrader(GenDeg.from_pretrained(tmp_path)).fingerprint()
    assert {key for key in changed if changed[key] != print_[key]} == {"model/unet"}


def test_fingerprint_names_the_libraries_and_the_gpu(
    tiny_mini: GenDeg, monkeypatch: pytest.MonkeyPatch
):
    on_cpu = GenDegDegrader(tiny_mini).fingerprint()
    assert on_cpu["transformers"] == transformers.__version__
    assert "gpu" not in on_cpu
    monkeypatch.setattr(GenDeg, "device", torch.device("cuda", 1))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: f"card {device.index}")
    on_gpu = GenDegDegrader(tiny_mini).fingerprint()
    assert (on_gpu["device"], on_gpu["gpu"]) == ("cuda", "card 1")


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        MemoryError(),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate"),
    ],
    ids=["cuda", "python", "torch on a CPU"],
)
def test_where_memory_falls_short_batches_are_halved_and_say_so(
    model: GenDeg, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    instructions = [[order(name, i) for i, name in enumerate(NAMES)]]
    roomy = GenDegDegrader(model, micro_batch=1).degrade([photo(0)], instructions)[0]
    generate, sizes = GenDeg.generate, []

    def tight(self: GenDeg, clean: torch.Tensor, *rest):
        sizes.append(len(clean))
        if len(clean) > 1:
            raise error
        return generate(self, clean, *rest)

    monkeypatch.setattr(GenDeg, "generate", tight)
    made = GenDegDegrader(model, micro_batch=4).degrade([photo(0)], instructions)[0]
    assert sizes == [4, 2, 1, 1, 2, 1, 1, 2, 1, 1]
    assert {pair.note for pair in made} == {"out of memory: made 1 at once"}
    assert all(np.array_equal(a.lq, b.lq) for a, b in zip(made, roomy, strict=True))


def test_other_errors_and_too_little_memory_for_one_are_raised(
    model: GenDeg, monkeypatch: pytest.MonkeyPatch
):
    def broken(self: GenDeg, clean: torch.Tensor, *rest):
        raise RuntimeError("shapes do not match") if len(clean) > 1 else MemoryError()

    monkeypatch.setattr(GenDeg, "generate", broken)
    engine = GenDegDegrader(model, micro_batch=2)
    with pytest.raises(RuntimeError, match="shapes"):
        engine.degrade([photo(0)], [[order("haze"), order("rain")]])
    with pytest.raises(MemoryError):
        engine.degrade([photo(0)], [[order("haze")]])
