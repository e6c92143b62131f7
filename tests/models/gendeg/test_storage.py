from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from gends.models.gendeg.calibration import Calibration, Curve
from gends.models.gendeg.model import GenDeg
from gends.models.gendeg.presets import Preset
from gends.models.gendeg.target import Target

WEIGHTS = {"text_encoder": "model.safetensors"}


def weights(folder: Path, part: str) -> Path:
    return folder / part / WEIGHTS.get(part, "diffusion_pytorch_model.safetensors")


@pytest.fixture
def saved(model: GenDeg, tmp_path: Path) -> Path:
    model.save_pretrained(tmp_path)
    return tmp_path


def test_every_part_comes_back(model: GenDeg, saved: Path):
    loaded = GenDeg.from_pretrained(saved)
    for part, module in model.modules.items():
        assert module is not None
        found = loaded.modules[part]
        assert type(found) is type(module)
        wanted = module.state_dict()
        assert found.state_dict().keys() == wanted.keys()
        assert all(torch.equal(found.state_dict()[key], wanted[key]) for key in wanted)
        assert not found.training
    for name in ("schedule", "sampling", "captions", "structure", "calibration"):
        assert getattr(loaded, name) == getattr(model, name)
    ids = model.prompt_tokenizer.ids(["a street, in hazy conditions"])
    assert torch.equal(loaded.prompt_tokenizer.ids(["a street, in hazy conditions"]), ids)


def test_layout_is_diffusers(saved: Path):
    index = json.loads((saved / "model_index.json").read_text())
    assert index["unet"] == ["diffusers", "UNet2DConditionModel"]
    for part in ("unet", "vae", "text_encoder", "conditioner", "scm"):
        assert weights(saved, part).stat().st_mode & 0o044 == 0o044
        assert (saved / part / "config.json").is_file()
    assert (saved / "tokenizer" / "vocab.json").is_file()
    assert (saved / "scheduler" / "scheduler_config.json").is_file()
    assert all(key.startswith("text_model.") for key in load_file(weights(saved, "text_encoder")))
    assert not list(saved.rglob("*.bin"))


def test_saving_again_changes_no_byte(saved: Path, tmp_path_factory: pytest.TempPathFactory):
    again = tmp_path_factory.mktemp("again")
    GenDeg.from_pretrained(saved).save_pretrained(again)
    files = sorted(path.relative_to(saved) for path in saved.rglob("*") if path.is_file())
    assert files == sorted(p.relative_to(again) for p in again.rglob("*") if p.is_file())
    for file in files:
        assert (saved / file).read_bytes() == (again / file).read_bytes(), file


def test_half_precision_on_disk_is_float32_in_memory(tiny_mini: GenDeg, tmp_path: Path):
    tiny_mini.save_pretrained(tmp_path, dtype=torch.float16)
    stored = load_file(weights(tmp_path, "unet"))
    assert {tensor.dtype for tensor in stored.values()} == {torch.float16}
    loaded = GenDeg.from_pretrained(tmp_path)
    kept = tiny_mini.unet.conv_in.weight
    assert kept.dtype == torch.float32
    assert torch.equal(loaded.unet.conv_in.weight, kept.half().float())


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "conditioner", "scm"])
def test_a_missing_key_is_named(saved: Path, part: str):
    tensors = load_file(weights(saved, part))
    lost = sorted(tensors)[0]
    del tensors[lost]
    save_file(tensors, weights(saved, part), metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"{part}: missing_keys.*{lost.split('.')[-1]}"):
        GenDeg.from_pretrained(saved)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "conditioner", "scm"])
def test_an_unexpected_key_is_named(saved: Path, part: str):
    tensors = load_file(weights(saved, part))
    tensors["surplus"] = torch.zeros(2)
    save_file(tensors, weights(saved, part), metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"{part}: unexpected_keys.*surplus"):
        GenDeg.from_pretrained(saved)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_a_tensor_of_another_shape_is_refused(saved: Path, part: str):
    tensors = load_file(weights(saved, part))
    name = next(key for key, value in tensors.items() if value.ndim == 2)
    tensors[name] = tensors[name][:, :-1].contiguous()
    save_file(tensors, weights(saved, part), metadata={"format": "pt"})
    with pytest.raises(ValueError, match=name.removeprefix("text_model.")):
        GenDeg.from_pretrained(saved)


def test_pickled_weights_are_not_read(saved: Path):
    path = weights(saved, "unet")
    torch.save(load_file(path), path.with_suffix(".bin"))
    path.unlink()
    with pytest.raises(ValueError, match="safetensors"):
        GenDeg.from_pretrained(saved)


def test_classes_outside_the_table_are_refused(saved: Path):
    index = json.loads((saved / "model_index.json").read_text())
    index["unet"] = ["os", "system"]
    (saved / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=r"'system'.*UNet2DConditionModel"):
        GenDeg.from_pretrained(saved)


@pytest.mark.parametrize("part", ["unet", "text_encoder"])
def test_half_a_file_of_weights_is_named(saved: Path, part: str):
    path = weights(saved, part)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ValueError, match=rf"{part}: .*safetensors|{part}: .*not fully covered"):
        GenDeg.from_pretrained(saved)


def test_weights_that_are_no_numbers_are_refused(saved: Path):
    tensors = load_file(weights(saved, "scm"))
    name = sorted(tensors)[0]
    tensors[name] = tensors[name] * float("nan")
    save_file(tensors, weights(saved, "scm"), metadata={"format": "pt"})
    with pytest.raises(ValueError, match=f"scm: {name} holds values that are no finite numbers"):
        GenDeg.from_pretrained(saved)


@pytest.mark.parametrize("key", ["scm", "sampling", "target", "captions", "structure"])
def test_no_default_stands_in_for_what_an_index_lost(saved: Path, key: str):
    path = saved / "model_index.json"
    index = json.loads(path.read_text(encoding="utf-8"))
    del index[key]
    path.write_text(json.dumps(index), encoding="utf-8")
    with pytest.raises(ValueError, match=rf"model_index\.json: '{key}' is missing"):
        GenDeg.from_pretrained(saved)


KIND = {"kind": "difference"}


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("_class_name", "StableDiffusionPipeline", "_class_name is 'StableDiffusionPipeline'"),
        ("unet", "x", "unet is of class 'x'; known are UNet2DConditionModel"),
        ("unet", None, "unet is of class None"),
        ("sampling", None, "sampling: expected an object, got None"),
        ("sampling", {"foo": 1}, "sampling: unknown key 'foo'; known: sampler, steps"),
        ("sampling", {"steps": "8"}, "sampling: steps is '8'; give int"),
        ("sampling", {"steps": 0}, "sampling: steps is 0; give 1 or more"),
        ("sampling", {}, "sampling: 'image_guidance' is missing"),
        ("scm", None, "scm is of class None"),
        ("scm", {}, "scm is of class {}"),
        ("target", {}, "target has no kind"),
        ("target", KIND | {"deviation": {"haze": 1}}, "target: target has means of"),
        (
            "target",
            KIND | {"mean": {"haze": 1}, "deviation": {"haze": 1}},
            "target: .*not iterable",
        ),
        (
            "target",
            KIND | {"mean": {"haze": [1]}, "deviation": {"haze": [1, 2]}},
            "target: .*means of haze",
        ),
        ("captions", "false", "captions is 'false'; give true or false"),
        ("structure", "photograph", "structure: expected an object, got 'photograph'"),
        ("structure", {"fog": "model"}, "structure: unknown degradation 'fog'; known: haze"),
        ("structure", {"haze": "photo"}, "structure: haze: give model or photograph"),
        ("structure", {"haze": ["model"]}, "structure: haze: give model or photograph"),
    ],
)
def test_a_damaged_index_names_what_is_wrong(saved: Path, key: str, value: object, says: str):
    path = saved / "model_index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ValueError, match=rf"model_index\.json: {says}"):
        GenDeg.from_pretrained(saved)


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("model_index.json", "[]", "expected an object, got"),
        ("scheduler/scheduler_config.json", "{}", "no num_train_timesteps, no beta_start"),
        ("scheduler/scheduler_config.json", None, "No such file"),
        ("unet/config.json", "{", "no JSON"),
        ("unet/config.json", None, "No such file"),
        ("tokenizer/merges.txt", None, "is missing: copy the model's tokenizer folder anew"),
        ("tokenizer/merges.txt", "", "nothing makes 'bl' of vocab.json and 40 more: copy"),
        ("tokenizer", "{}", "out of vocabulary"),
        ("tokenizer/tokenizer_config.json", '{"model_max_length": "16"}', "model_max_length is"),
        ("calibration.json", '{"haez": {}}', "haez is no degradation; known: haze"),
    ],
)
def test_a_damaged_file_is_named(saved: Path, file: str, text: str | None, says: str):
    path = saved / file
    if text is None:
        path.unlink()
    else:
        (path / "vocab.json" if path.is_dir() else path).write_text(text)
    with pytest.raises(ValueError, match=f"{file}.*{says}"):
        GenDeg.from_pretrained(saved)


def edit(path: Path, lost: Iterable[str] = (), **changed: object) -> None:
    config = json.loads(path.read_text(encoding="utf-8")) | changed
    kept = {key: value for key, value in config.items() if key not in lost}
    path.write_text(json.dumps(kept), encoding="utf-8")


LOST = [
    ("unet", "attention_head_dim"),
    ("vae", "latent_channels"),
    ("text_encoder", "num_attention_heads"),
    ("conditioner", "mu_max"),
    ("scm", "width"),
]


@pytest.mark.parametrize(("part", "key"), LOST)
def test_no_default_stands_in_for_what_a_network_lost(saved: Path, part: str, key: str):
    edit(saved / part / "config.json", [key])
    with pytest.raises(ValueError, match=rf"{part}/config\.json: {key} missing; copy the file"):
        GenDeg.from_pretrained(saved)


def test_what_older_libraries_did_not_write_is_not_missed(saved: Path, model: GenDeg):
    edit(saved / "unet/config.json", ["dropout", "attention_type"], _diffusers_version="0.6.0")
    edit(saved / "text_encoder/config.json", ["pad_token_id"], transformers_version="4.22.0")
    loaded = GenDeg.from_pretrained(saved)
    assert loaded.unet.config["attention_type"] == model.unet.config["attention_type"]


@pytest.mark.parametrize("count", [0, 1, 3, 32])
def test_a_target_of_other_latents_is_refused(tiny_mini: GenDeg, tmp_path: Path, count: int):
    target = Target(
        kind="difference", mean={"haze": [0.0] * count}, deviation={"haze": [1.0] * count}
    )
    replace(tiny_mini, target=target).save_pretrained(tmp_path)
    says = rf"model_index\.json: length of target\.deviation\.haze is {count}; 4 fits latent_ch"
    with pytest.raises(ValueError, match=says):
        GenDeg.from_pretrained(tmp_path)


@pytest.fixture(scope="module")
def other(mini_preset: Preset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model, of other sizes than the tiny one wherever parts meet."""
    sizes = {"in_channels": 4, "out_channels": 2, "cross_attention_dim": 16}
    text = {"hidden_size": 16, "max_position_embeddings": 20}
    preset = replace(
        mini_preset,
        unet={**mini_preset.unet, **sizes},
        autoencoder=("PatchAutoencoder", {**mini_preset.autoencoder[1], "latent_channels": 2}),
        text_encoder={**mini_preset.text_encoder, **text},
        target=Target(kind="difference"),
    )
    folder = tmp_path_factory.mktemp("other")
    GenDeg.build(preset, seed=0).save_pretrained(folder)
    GenDeg.from_pretrained(folder)
    return folder


@pytest.mark.parametrize(
    ("part", "says"),
    [
        (
            "unet",
            "unet/config.json: in_channels is 4; 8 fits latent_channels of vae/config.json, 4",
        ),
        ("vae", "unet/config.json: in_channels is 8; 4 fits latent_channels of vae/config.json, 2"),
        ("text_encoder", "unet/config.json: cross_attention_dim is 32; 16 fits hidden_size of"),
        (
            "conditioner",
            "conditioner/config.json: width is 16; 32 fits hidden_size of text_encoder",
        ),
        ("tokenizer", "tokenizer/tokenizer_config.json: model_max_length is 20; 16 fits max_"),
    ],
)
def test_a_part_of_another_model_is_named(
    tiny_mini: GenDeg, other: Path, tmp_path: Path, part: str, says: str
):
    tiny_mini.save_pretrained(tmp_path)
    shutil.copytree(other / part, tmp_path / part, dirs_exist_ok=True)
    with pytest.raises(ValueError, match=re.escape(f"{tmp_path}/{says}")) as caught:
        GenDeg.from_pretrained(tmp_path)
    assert str(caught.value).endswith("; take all parts from one model")


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("unet", "act_fn", 5),
        ("vae", "latent_channels", "x"),
        ("text_encoder", "hidden_act", "xyz"),
        ("text_encoder", "num_attention_heads", 9),
        ("unet", "block_out_channels", [64, 64]),
    ],
)
def test_whatever_a_configuration_breaks_is_told_in_one_short_line(
    saved: Path, part: str, key: str, value: object
):
    path = saved / part / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ValueError, match=re.escape(f"{saved / part}: ")) as caught:
        GenDeg.from_pretrained(saved)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_words_that_a_text_encoder_does_not_know_are_refused(saved: Path):
    path = saved / "tokenizer" / "vocab.json"
    words = {word: 2 * number for word, number in json.loads(path.read_text()).items()}
    path.write_text(json.dumps(words))
    with pytest.raises(ValueError, match=r"vocab\.json: its largest id is \d+; vocab_size of"):
        GenDeg.from_pretrained(saved)


def test_keys_that_a_network_does_not_know_are_refused(saved: Path):
    path = saved / "vae" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "foo": 1}))
    with pytest.raises(ValueError, match=r"vae/config\.json: foo: unknown to [PA]"):
        GenDeg.from_pretrained(saved)


def test_a_folder_without_a_model_is_refused(tmp_path: Path):
    with pytest.raises(ValueError, match=r"model_index\.json"):
        GenDeg.from_pretrained(tmp_path)


def test_what_a_model_no_longer_has_is_not_read_back(tiny_mini: GenDeg, tmp_path: Path):
    calibration = Calibration({"haze": Curve(asked=(0.1,), produced=(0.2,))})
    replace(tiny_mini, calibration=calibration).save_pretrained(tmp_path)
    assert GenDeg.from_pretrained(tmp_path).calibration == calibration
    replace(tiny_mini, modules={**tiny_mini.modules, "scm": None}).save_pretrained(tmp_path)
    loaded = GenDeg.from_pretrained(tmp_path)
    assert loaded.scm is None
    assert not loaded.calibration.curves
    assert not (tmp_path / "scm").exists()


def test_a_model_is_not_written_over_something_else(tiny_mini: GenDeg, tmp_path: Path):
    (tmp_path / "mine" / "unet").mkdir(parents=True)
    (tmp_path / "mine" / "unet" / "weights").write_text("precious")
    for index in (None, '{"_class_name": "StableDiffusionPipeline"}'):
        if index is not None:
            (tmp_path / "mine" / "model_index.json").write_text(index)
        with pytest.raises(FileExistsError, match="mine holds something that is no GenDeg model"):
            tiny_mini.save_pretrained(tmp_path / "mine")
    assert (tmp_path / "mine" / "unet" / "weights").read_text() == "precious"


def test_saving_again_replaces_links_and_not_what_they_lead_to(saved: Path, tmp_path: Path):
    model = GenDeg.from_pretrained(saved)
    victim = saved.parent / f"{saved.name}-victim"
    shutil.move(saved / "unet", victim)
    config = (victim / "config.json").read_text()
    (victim / "config.json").write_text(config + " ")
    (saved / "unet").symlink_to(victim)
    model.save_pretrained(saved)
    assert (victim / "config.json").read_text() == config + " "
    assert not (saved / "unet").is_symlink()
    assert GenDeg.from_pretrained(saved).unet is not None
