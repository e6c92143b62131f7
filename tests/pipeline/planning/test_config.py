from __future__ import annotations

import re
from dataclasses import fields

import pytest
import yaml
from pydantic import ValidationError

from gends.jobs.building.drive import ClusterOptions
from gends.models.degradations import DEGRADATIONS
from gends.pipeline.planning.config import BuildConfig, ConfigError
from gends.pipeline.planning.config_file import FLAGS, load_config


def errors(tmp_path, text: str) -> str:
    path = tmp_path / "build.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message


def test_nothing_given_is_the_default():
    assert load_config(None, {}) == BuildConfig()
    assert BuildConfig().degradations == tuple(DEGRADATIONS)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "{}"])
def test_an_empty_file_is_the_default(tmp_path, text):
    (tmp_path / "c.yaml").write_text(text)
    assert load_config(tmp_path / "c.yaml", {}) == BuildConfig()


def test_a_file_and_overrides_over_it(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(
        "seed: 7\nresolution: 128\ndegradations: [rain, haze]\n"
        "filter: {mu_max: 0.2, metrics: {psnr: [10, null]}}\n"
    )
    config = load_config(path, {"resolution": 64, "filter": {"mu_min": 0.01}})
    assert (config.seed, config.resolution, config.degradations) == (7, 64, ("rain", "haze"))
    assert (config.filter.mu_min, config.filter.mu_max) == (0.01, 0.2)
    assert config.filter.metrics == {"psnr": (10.0, None)}


def test_what_is_meant_is_taken(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("degradations: rain, snow\nfilter:\ngenerator: null\ndedupe: false\n")
    config = load_config(path, {})
    assert config == BuildConfig(degradations=("rain", "snow"), dedupe=False)
    path.write_text("degradations: haze")
    assert load_config(path, {}).degradations == ("haze",)


def test_structure_is_given_for_all_degradations_for_some_or_for_none(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("generator: {structure: photograph}\n")
    assert load_config(path, {}).generator.structures() == dict.fromkeys(DEGRADATIONS, "photograph")
    path.write_text("generator:\n  structure:\n    snow: model\n    raindrop: photograph\n")
    chosen = {"snow": "model", "raindrop": "photograph"}
    assert load_config(path, {}).generator.structures() == chosen
    path.write_text("generator: {structure: null}\n")
    assert load_config(path, {}).generator.structures() == {}
    assert load_config(path, {}) == BuildConfig()


def test_flags_that_are_no_keys_are_all_known():
    assert set(FLAGS) == {field.name for field in fields(ClusterOptions)} | {"json", "out"}


def test_a_configuration_survives_its_own_dump(tmp_path):
    config = BuildConfig.model_validate(
        {"per_image": 2, "filter": {"metrics": {"niqe": [None, 8]}}, "generator": {"steps": 4}}
    )
    path = tmp_path / "c.yaml"
    path.write_text(yaml.safe_dump(config.model_dump(mode="json")))
    assert load_config(path, {}) == config


def test_every_unknown_key_is_named_with_the_nearest_right_one(tmp_path):
    message = errors(
        tmp_path,
        "resolutoin: 64\nreplica: 2\nzzz: 1\nfilter: {mu_mim: 0.1}\ngenerator: {step: 4, zzz: 1}\n",
    )
    for part in (
        "resolutoin: unknown key 'resolutoin'; did you mean 'resolution'?",
        "replica: unknown key 'replica'; did you mean 'replicas'?",
        "zzz: unknown key 'zzz'; known: clean, ",
        "filter.mu_mim: unknown key 'mu_mim'; did you mean 'mu_min'?",
        "generator.step: unknown key 'step'; did you mean 'steps'?",
        "generator.zzz: unknown key 'zzz'; known: sampler, ",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("resolution: 8", "resolution: must be at least 16 .got 8."),
        ("resolution: big", "resolution: .*integer.* .got 'big'."),
        ("seed: -1", "seed: .*got -1"),
        ("seed: 9223372036854775808", "seed: must be below 9223372036854775808"),
        ("engine: gan", "engine: unknown value 'gan'; known: gendeg, parametric, dry"),
        ("degradations: [haze, hazy]", "degradations: unknown degradation 'hazy'; did you mean"),
        ("degradations: [rain, rain]", "degradations: degradations repeat: rain, rain"),
        ("degradations: []", "degradations: .*at least 1"),
        ("degradations: 3", "degradations: give a list, as .rain, snow. .got 3."),
        ("degradations: fog, rain", "degradations: unknown degradation 'fog'"),
        ("per_image: 7", "per_image is 7, but degradations are only 6"),
        ("{per_image: 2, degradations: [haze]}", "per_image is 2, but degradations are only 1"),
        ("seed: true", "seed: true turns nothing on"),
        ("generator: {threads: false}", "generator.threads: false turns nothing on"),
        ("steps: 3", "steps: unknown key 'steps'; did you mean 'generator: {steps: …}'"),
        ("mu-max: 0.2", "mu-max: unknown key 'mu-max'; did you mean 'filter: {mu_max: …}'"),
        ("filter.mu_max: 0.2", "unknown key 'filter.mu_max'; did you mean 'filter: {mu_max: …}'"),
        ("filter.mu_mox: 0.2", "unknown key 'mu_mox'; did you mean 'mu_max'"),
        ("filter-mu-max: 0.2", "'filter-mu-max'; did you mean 'filter: {mu_max: …}'"),
        ("generator: {variants: [true]}", "generator.variants: true turns nothing on"),
        ("filter: {metrics: {psnr: [true, 2]}}", "filter.metrics: give lowest and highest"),
        ("generator: {structure: photo}", "generator.structure: give model or photograph, or a"),
        ("generator: {structure: true}", "generator.structure: give model or photograph, .*True"),
        ("generator: {structure: [model]}", "generator.structure: give model or photograph, or"),
        ("generator: {structure: {fog: model}}", "generator.structure: unknown degradation 'fog'"),
        ("generator: {structure: {haze: 1}}", "generator.structure: haze: give model or .*got 1"),
        ("generator.seed: 1", "unknown key 'generator.seed'; did you mean 'seed'"),
        ("foo.seed-x: 1", "unknown key 'foo.seed-x'; "),
        ("per-image: 2", "per-image: unknown key 'per-image'; did you mean 'per_image'"),
        ("filter: {mu-max: 0.2}", "filter.mu-max: unknown key 'mu-max'; did you mean 'mu_max'"),
        ("filter: {steps: 3}", "filter.steps: .*did you mean 'generator: {steps: …}'"),
        ("generator: {seed: 1}", "generator.seed: .*; did you mean 'seed' outside of this section"),
        ("workers: 3", "workers: is no key but the flag --workers"),
        ("filter: {workers: 3}", "filter.workers: is no key but the flag --workers"),
        ("unit-timeout: 3", "unit-timeout: is no key but the flag --unit-timeout"),
        ("seed: 1\nresolution: 64\nseed: 2", "'seed' is given twice in line 3$"),
        ("filter: {mu_min: 0.1, mu_min: 0.2}", "'mu_min' is given twice"),
        ("clean_degradation: fog", "clean_degradation: unknown degradation 'fog'; known: haze"),
        ("replicas: 0", "replicas: .*got 0"),
        ("uniform_share: 1.5", "uniform_share: .*got 1.5"),
        ("max_pixels: 400000000", "max_pixels: .*178000000"),
        ("jpg_quality: 101", "jpg_quality"),
        ("filter: {mu_min: 0.5}", "filter: mu: the lower bound 0.5 is above the upper bound 0.285"),
        ("filter: {metrics: {psnr: [3, 1]}}", "filter: psnr: the lower bound 3.0 is above"),
        ("filter: {metrics: niqe}", "filter.metrics: give bounds by name, as .* .got 'niqe'."),
        ("generator: {variants: 3}", r"generator.variants: give a list, as \[0, 1, 2\] .got 3."),
        ("filter: 3", "filter: give keys and values .got 3."),
        ("generator: {steps: 0}", "generator.steps: .*got 0"),
        ("1: 2", "\\[1\\]: .*string"),
        ("generator: {text_guidance: .inf}", "text_guidance: .*finite"),
        ("filter: {metrics: {psnr: [.nan, null]}}", "metrics.psnr.0.: .*finite"),
        ('"\\e[2J": 1', r"\\x1b\[2J: unknown key"),
    ],
)
def test_bad_values_are_named_with_what_is_allowed(tmp_path, text, says):
    assert re.search(says, errors(tmp_path, text))


@pytest.mark.parametrize("bounds", ["30", "':30'", "[30]", "[1, 2, 3]", "{low: 30}", "null"])
def test_the_example_for_bounds_can_be_pasted(tmp_path, bounds):
    message = errors(tmp_path, f"filter: {{metrics: {{psnr: {bounds}}}}}")
    example = re.search(r"filter\.metrics: give lowest and highest, as (\{.*\}) \(got", message)
    path = tmp_path / "pasted.yaml"
    path.write_text(f"filter: {{metrics: {example[1]}}}")
    assert load_config(path, {}).filter.metrics == {"psnr": (20.0, None)}


def test_a_long_file_is_refused_and_not_cut_short(tmp_path):
    path = tmp_path / "long.yaml"
    path.write_text("# é\n" * 60_000 + "seed: 5\n")
    with pytest.raises(ConfigError, match="over 262144 bytes; this is no configuration"):
        load_config(path, {})


def test_a_flag_does_not_hide_a_section_that_is_none(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("filter: []\n")
    with pytest.raises(ConfigError, match="filter: give keys and values"):
        load_config(path, {"filter": {"mu_max": 0.2}})


def test_a_message_stays_short_whatever_is_wrong(tmp_path):
    long = errors(tmp_path, "engine: " + "x" * 100_000)
    many = errors(tmp_path, "degradations: [" + "[1], " * 10_000 + "]")
    assert max(len(long), len(many)) < 5000
    assert re.search(r"; and 99\d\d more$", many)


def test_all_bad_values_are_named_at_once(tmp_path):
    message = errors(tmp_path, "seed: -1\nresolution: 3\nfilter: {mu_max: 2}\n")
    assert all(name in message for name in ("seed: ", "resolution: ", "filter.mu_max: "))


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"seed: [1,\n", "in line 2); write 'key: value' lines"),
        (b"a: b: c\n", "no YAML (mapping values are not allowed here in line 1); write"),
        (b"a:\n\t- b\n", "found character '\\t' that cannot start any token in line 2"),
        (b"a: \x01\n", "unacceptable character #x0001"),
        (b"- seed\n", "expected 'key: value' lines, got list"),
        (b"seed 7\n", "expected 'key: value' lines, got str"),
        (b"seed: \xff\n", "utf-8"),
        (b"a: 1\nb: !!python/object:os.system {}\n", "tags ('!!python/object:os.system') are not"),
        (b"!!timestamp x\n", "tags ('!!timestamp') are not used here; write the value alone"),
        (b"seed: !mine 3\n", "tags ('!mine') are not used here; write the value alone in line 1"),
        (b"seed: 2001-99-99\n", "month must be in 1..12; write text like a date"),
        (b"a: &a [1]\nb: *a\n", "aliases (*name) are not used here"),
        (b"a: &a {x: 1}\nb: {<<: [*a, *a]}\n", "aliases (*name) are not used here"),
        (b"a: " + b"[" * 5000, "nested more than 20 deep"),
        (b"#" * 300_000, "over 262144 bytes; this is no configuration"),
    ],
)
def test_what_is_no_yaml_mapping_is_said(tmp_path, data, says):
    path = tmp_path / "c.yaml"
    path.write_bytes(data)
    with pytest.raises(ConfigError) as caught:
        load_config(path, {})
    assert str(caught.value).startswith(f"{path}: ")
    assert says in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_is_said(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: .*No such file"):
        load_config(tmp_path / "gone.yaml", {})


def test_overrides_are_checked_too():
    with pytest.raises(ConfigError, match=r"replicas: .*got 0") as caught:
        load_config(None, {"replicas": 0})
    assert "None" not in str(caught.value)


def test_a_configuration_cannot_be_changed():
    with pytest.raises(ValidationError, match="frozen"):
        BuildConfig().seed = 3


def test_every_field_is_described_for_the_command_line():
    sections = (BuildConfig, type(BuildConfig().filter), type(BuildConfig().generator))
    for section in sections:
        for name, field in section.model_fields.items():
            nested = field.annotation in sections
            assert nested or (field.description or "").endswith("."), name
